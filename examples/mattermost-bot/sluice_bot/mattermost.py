"""Mattermost's REST API, as far as the bot needs it."""

import asyncio
import email.utils
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp

Json = dict[str, Any]
log = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
# An upload may be a minute of sound over a slow line.
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
TRIES = 3
LONGEST_WAIT_SECONDS = 10.0
# Of users whose name and kind are remembered.
USERS = 1000


class MattermostError(Exception):
    """A call that failed; `status` is 0 where there was no answer at all."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same call may work a moment later."""
        return self.status in {0, 429} or self.status >= 500


@dataclass(frozen=True)
class User:
    """Who wrote a post."""

    id: str
    name: str
    is_bot: bool


@dataclass(frozen=True)
class Post:
    """A message in a channel."""

    id: str
    user: str
    channel: str
    root: str
    """The first post of its thread; its own id where it begins one."""
    message: str
    created: int
    """Milliseconds since 1970, by the server's clock."""
    kind: str
    """Empty for what people write; `system_…` and `custom_…` for the rest."""
    props: Json
    deleted: bool

    @staticmethod
    def of(raw: Json) -> "Post":
        """From the API's JSON."""
        return Post(
            id=str(raw["id"]),
            user=str(raw["user_id"]),
            channel=str(raw["channel_id"]),
            root=str(raw.get("root_id") or raw["id"]),
            message=str(raw.get("message") or ""),
            created=int(raw.get("create_at") or 0),
            kind=str(raw.get("type") or ""),
            props=raw.get("props") or {},
            deleted=bool(raw.get("delete_at")),
        )


class Mattermost:
    """The API, as the bot's account."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self._http = http
        self._url = f"{url}/api/v4"
        self._token = token
        self._users: dict[str, User] = {}

    async def me(self) -> tuple[User, int]:
        """The bot's own account, and the server's clock in milliseconds since 1970."""
        raw, headers = await self._call("GET", "/users/me")
        date = email.utils.parsedate_to_datetime(headers.get("Date", "Thu, 01 Jan 1970 00:00:00 GMT"))
        return _user(raw), int(date.timestamp() * 1000)

    async def user(self, user_id: str) -> User:
        """Who has this id; asked once."""
        if user_id not in self._users:
            if len(self._users) >= USERS:
                self._users.clear()
            self._users[user_id] = _user((await self._call("GET", f"/users/{user_id}"))[0])
        return self._users[user_id]

    async def thread(self, root: str) -> list[Post]:
        """The posts of a thread, the oldest first."""
        return _posts((await self._call("GET", f"/posts/{root}/thread"))[0])

    async def channels(self) -> list[Json]:
        """The channels that the bot is in, direct ones too."""
        found: list[Json] = (await self._call("GET", "/users/me/channels"))[0]
        return found

    async def posts_since(self, channel: str, since: int) -> list[Post]:
        """What was written or changed in a channel since a moment, the oldest first."""
        return _posts((await self._call("GET", f"/channels/{channel}/posts?since={since}"))[0])

    async def write(self, to: Post, message: str, mark: str, files: Iterable[str] = ()) -> str:
        """A new post in the thread of another; its id. `mark` is kept in its props, to be known again."""
        body = {
            "channel_id": to.channel,
            "root_id": to.root,
            "message": message,
            "file_ids": list(files),
            "props": {"sluice": mark},
        }
        return str((await self._call("POST", "/posts", json=body))[0]["id"])

    async def edit(self, post_id: str, message: str) -> None:
        """Changes the text of one of the bot's posts."""
        await self._call("PUT", f"/posts/{post_id}/patch", json={"message": message})

    async def typing(self, to: Post) -> None:
        """Shows for some seconds that the bot is writing in a thread."""
        await self._call("POST", "/users/me/typing", json={"channel_id": to.channel, "parent_id": to.root})

    async def upload(self, channel: str, name: str, data: bytes) -> str:
        """Puts a file into a channel, to be attached to a post; its id."""
        query = {"channel_id": channel, "filename": name}
        raw, _ = await self._call("POST", "/files", params=query, data=data, timeout=UPLOAD_TIMEOUT)
        return str(raw["file_infos"][0]["id"])

    async def socket(self) -> aiohttp.ClientWebSocketResponse:
        """A new websocket, not yet authenticated. Dead connections are found by pings."""
        try:
            url = "ws" + self._url.removeprefix("http") + "/websocket"
            return await self._http.ws_connect(url, heartbeat=30, max_msg_size=16 * 1024 * 1024)
        except aiohttp.WSServerHandshakeError as why:
            raise MattermostError(why.status, f"the websocket was refused: {why.message}") from why
        except (TimeoutError, aiohttp.ClientError, OSError) as why:
            raise MattermostError(0, f"no websocket: {why or type(why).__name__}") from why

    async def log_in(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Says on a websocket who the bot is."""
        await socket.send_json({"seq": 1, "action": "authentication_challenge", "data": {"token": self._token}})

    async def _call(self, method: str, path: str, **options: Any) -> tuple[Any, dict[str, str]]:
        """One call, asked again when the server says that it was one too many; the JSON and the head."""
        for left in reversed(range(TRIES)):
            try:
                return await self._once(method, path, **options)
            except TooManyError as why:
                if not left:
                    raise
                log.info("Mattermost asks to wait %.1f s", why.wait)
                await asyncio.sleep(why.wait)
        raise AssertionError("the last try returns or raises")

    async def _once(self, method: str, path: str, **options: Any) -> tuple[Any, dict[str, str]]:
        fields = {"Authorization": f"Bearer {self._token}"}
        options.setdefault("timeout", TIMEOUT)
        try:
            async with self._http.request(method, self._url + path, headers=fields, **options) as answer:
                if answer.status == 429:
                    raise TooManyError(answer.headers)
                if answer.status >= 400:
                    raise MattermostError(answer.status, await _why(answer))
                return await answer.json(), dict(answer.headers)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as why:
            raise MattermostError(0, f"{method} {path}: {why or type(why).__name__}") from why


class TooManyError(MattermostError):
    """429, and for how long to wait."""

    def __init__(self, headers: Any) -> None:
        super().__init__(429, "too many requests")
        said = headers.get("Retry-After") or headers.get("X-Ratelimit-Reset") or "1"
        self.wait = min(float(said), LONGEST_WAIT_SECONDS) if said.isdigit() else 1.0


async def _why(answer: aiohttp.ClientResponse) -> str:
    try:
        return str((await answer.json(content_type=None))["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason or "no reason given"


def _user(raw: Json) -> User:
    return User(str(raw["id"]), str(raw["username"]), bool(raw.get("is_bot")))


def _posts(raw: Json) -> list[Post]:
    posts = [Post.of(one) for one in raw["posts"].values()]
    return sorted((post for post in posts if not post.deleted), key=lambda post: (post.created, post.id))
