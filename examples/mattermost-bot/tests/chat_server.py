"""A simulated Mattermost: the calls of API v4 that the bot makes, the websocket, and a hand to post as people do."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]

TOKEN = "the-bots-token"
BOT = "tayne"
PATIENCE_SECONDS = 10.0
USERS: dict[str, Json] = {
    "bot0": {"username": BOT, "is_bot": True},
    "ann0": {"username": "ann", "is_bot": False},
    "bob0": {"username": "bob", "is_bot": False},
    "other0": {"username": "otherbot", "is_bot": True},
}
CHANNELS = {"town": "O", "direct": "D"}


class ChatServer:
    """Starts on entering. Every call is noted; some can be made to fail."""

    def __init__(self) -> None:
        self.posts: dict[str, Json] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self.edits: list[tuple[float, str, str]] = []
        """When, which post, which text."""
        self.typed: list[Json] = []
        self.failing: list[tuple[str, int, dict[str, str]]] = []
        """Answers to give instead of the right one: a part of the path, the status, headers."""
        self.slow_writes = 0.0
        """Seconds between a post's being there and the answer that says so."""
        self.connections = 0
        self.refuse_sockets = False
        self._sockets: list[tuple[web.WebSocketResponse, list[int]]] = []
        self._clock = int(time.time() * 1000)
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> "ChatServer":
        app = web.Application(middlewares=[self._guard])
        app.add_routes([
            web.get("/api/v4/websocket", self._socket),
            web.get("/api/v4/users/me/channels", self._channels),
            web.get("/api/v4/users/{id}", self._user),
            web.post("/api/v4/users/me/typing", self._typing),
            web.get("/api/v4/channels/{id}/posts", self._since),
            web.get("/api/v4/posts/{id}/thread", self._thread),
            web.post("/api/v4/posts", self._create),
            web.put("/api/v4/posts/{id}/patch", self._patch),
            web.post("/api/v4/files", self._upload),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop()
        await self._runner.cleanup()

    # --- what people do --------------------------------------------------------------------------------------

    async def say(self, message: str, user: str = "ann0", channel: str = "town", root: str = "", **more: Any) -> Json:
        """A post by somebody."""
        post = self._new({"user_id": user, "channel_id": channel, "root_id": root, "message": message, **more})
        await self._tell("posted", post)
        return post

    async def delete(self, post_id: str) -> None:
        """Somebody takes a post back."""
        async with self._changed:
            self.posts[post_id]["delete_at"] = self._tick()

    async def drop(self) -> None:
        """All websockets end."""
        sockets, self._sockets = self._sockets, []
        for socket, _ in sockets:
            await socket.close()

    async def skip(self) -> None:
        """An event is lost on its way."""
        for _, sequence in self._sockets:
            sequence[0] += 1

    # --- what tests look at ----------------------------------------------------------------------------------

    def answers(self, root: str) -> list[Json]:
        """The bot's posts in a thread."""
        return [post for post in self.posts.values() if post["user_id"] == "bot0" and post["root_id"] == root]

    async def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Waits for something to be true of what the server holds."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(holds), PATIENCE_SECONDS)
            except TimeoutError:
                shown = [f"{one['user_id']}: {one['message']!r}" for one in self.posts.values()]
                raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}\n" + "\n".join(shown)) from None
            return holds()

    async def answer(self, post: Json, number: int = 0, ends: str = "_") -> str:
        """The bot's answer under a post, when it is whole."""
        root = post["root_id"] or post["id"]

        def whole() -> bool:
            found = self.answers(root)
            return len(found) > number and bool(found[number]["message"].endswith(ends))

        await self.until(whole, f"answer {number} to {post['message']!r}")
        return str(self.answers(root)[number]["message"])

    # --- the API ---------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        for number, (part, status, headers) in enumerate(self.failing):
            if part in request.path:
                async with self._changed:
                    del self.failing[number]
                    self._changed.notify_all()
                return web.json_response({"message": "made to fail"}, status=status, headers=headers)
        if "websocket" not in request.path and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Invalid or expired session"}, status=401)
        answer: web.StreamResponse = await handler(request)
        async with self._changed:
            self._changed.notify_all()
        return answer

    async def _user(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        found = USERS["bot0" if name == "me" else name]
        return web.json_response({"id": "bot0" if name == "me" else name, **found})

    async def _channels(self, _: web.Request) -> web.Response:
        def last(channel: str) -> int:
            return max((post["create_at"] for post in self.posts.values() if post["channel_id"] == channel), default=0)

        shown = [{"id": name, "type": kind, "last_post_at": last(name)} for name, kind in CHANNELS.items()]
        return web.json_response(shown)

    async def _since(self, request: web.Request) -> web.Response:
        since, channel = int(request.query["since"]), request.match_info["id"]
        found = [it for it in self.posts.values() if it["channel_id"] == channel and it["update_at"] > since]
        return web.json_response(_list(found))

    async def _thread(self, request: web.Request) -> web.Response:
        root = request.match_info["id"]
        found = [it for it in self.posts.values() if root in {it["id"], it["root_id"]} and not it["delete_at"]]
        if not found:
            return web.json_response({"message": "no such post"}, status=404)
        return web.json_response(_list(found))

    async def _create(self, request: web.Request) -> web.Response:
        said = await request.json()
        if USERS["bot0"]["is_bot"]:
            said["props"] = {**said.get("props", {}), "from_bot": "true"}
        post = self._new({"user_id": "bot0", **said})
        async with self._changed:
            self._changed.notify_all()
        await self._tell("posted", post)
        await asyncio.sleep(self.slow_writes)
        return web.json_response(post, status=201)

    async def _patch(self, request: web.Request) -> web.Response:
        post = self.posts[request.match_info["id"]]
        if post["delete_at"]:
            return web.json_response({"message": "no such post"}, status=404)
        post["message"] = (await request.json())["message"]
        post["update_at"] = self._tick()
        self.edits.append((time.monotonic(), post["id"], post["message"]))
        await self._tell("post_edited", post)
        return web.json_response(post)

    async def _typing(self, request: web.Request) -> web.Response:
        self.typed.append(await request.json())
        return web.json_response({"status": "OK"})

    async def _upload(self, request: web.Request) -> web.Response:
        name = f"file{len(self.files)}"
        self.files[name] = (request.query["filename"], await request.read())
        return web.json_response({"file_infos": [{"id": name}], "client_ids": []}, status=201)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_sockets:
            return web.Response(status=502)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._log_in(socket, json.loads(message.data))
        return socket

    async def _log_in(self, socket: web.WebSocketResponse, said: Json) -> None:
        if said.get("action") != "authentication_challenge" or said["data"]["token"] != TOKEN:
            await socket.send_json({"status": "FAIL", "error": {"message": "no"}, "seq_reply": said.get("seq")})
            return
        sequence = [1]
        await socket.send_json({"event": "hello", "data": {"connection_id": "c0"}, "broadcast": {}, "seq": 0})
        await socket.send_json({"status": "OK", "seq_reply": said["seq"]})
        self._sockets.append((socket, sequence))
        async with self._changed:
            self.connections += 1
            self._changed.notify_all()

    async def _tell(self, event: str, post: Json) -> None:
        """An event to every websocket, as the server numbers them."""
        data = {"post": json.dumps(post), "channel_type": CHANNELS[post["channel_id"]], "sender_name": "@somebody"}
        for socket, sequence in list(self._sockets):
            number, sequence[0] = sequence[0], sequence[0] + 1
            with contextlib.suppress(ConnectionError):
                await socket.send_json({"event": event, "data": data, "broadcast": {}, "seq": number})

    def _new(self, said: Json) -> Json:
        now = self._tick()
        post = {"type": "", "props": {}, "root_id": "", "file_ids": [], **said}
        post |= {"id": f"post{len(self.posts)}", "create_at": now, "update_at": now, "delete_at": 0}
        self.posts[post["id"]] = post
        return post

    def _tick(self) -> int:
        """The server's clock: never the same twice."""
        self._clock = max(self._clock + 1, int(time.time() * 1000))
        return self._clock


def _list(posts: list[Json]) -> Json:
    return {"order": [post["id"] for post in reversed(posts)], "posts": {post["id"]: post for post in posts}}
