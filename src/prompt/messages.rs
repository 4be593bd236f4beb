//! What is read of a conversation: messages, items that are like them, and their content.
//!
//! A user's own texts are a string content and the parts of type `text` or `input_text` of a message
//! whose role is `user`. What stands anywhere else, tool results included, counts as tokens and no more.

use super::cursor::Kind;
use super::fault::Fault;
use super::keys::{Keys, Table};
use super::shapes::Reader;
use super::text::Text;
use super::tokens::FACTORS;

/// What a key of a message or item is read as.
#[derive(Clone, Copy)]
enum Field {
    Role,
    Content,
    /// Content of a tool's: strings, parts, images.
    Nested,
    /// Text of whatever shape.
    Counted,
}

/// What a key of a content part is read as.
#[derive(Clone, Copy)]
enum PartField {
    Type,
    Text,
    Image,
    Nested,
    Counted,
}

/// What a content part is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartType {
    /// Text of the message's own.
    Text,
    Image,
    Other,
}

const MESSAGE: Table<Field> = &[
    ("role", Field::Role),
    ("content", Field::Content),
    ("name", Field::Counted),
    ("tool_calls", Field::Counted),
    ("function_call", Field::Counted),
    ("reasoning_content", Field::Counted),
    ("reasoning", Field::Counted),
    ("refusal", Field::Counted),
    // items of `/v1/responses`
    ("arguments", Field::Counted),
    ("summary", Field::Nested),
    ("output", Field::Nested),
];

const PART: Table<PartField> = &[
    ("type", PartField::Type),
    ("text", PartField::Text),
    ("image_url", PartField::Image),
    ("content", PartField::Nested),
    ("refusal", PartField::Counted),
    // blocks of `/v1/messages`
    ("name", PartField::Counted),
    ("input", PartField::Counted),
    ("thinking", PartField::Counted),
];

impl Reader<'_> {
    /// The value of `name`: an array of messages; as `items` also a string, or strings among them, each of
    /// which is a user message.
    pub fn messages(&mut self, name: &'static str, items: bool) -> Result<(), Fault> {
        match self.cursor.kind()? {
            Kind::Null => return self.cursor.skip(&mut ()),
            Kind::String if items => return self.said(),
            Kind::Array => self.cursor.open()?,
            _ if items => return Err(self.wrong(name, "a string or an array")),
            _ => return Err(self.wrong(name, "an array")),
        }
        let mut first = true;
        while self.cursor.next_element(&mut first)? {
            match self.cursor.kind()? {
                Kind::Object => self.message()?,
                Kind::String if items => self.said()?,
                _ => return Err(self.wrong(name, "an array of objects")),
            }
        }
        self.tally.add(FACTORS.request);
        Ok(())
    }

    /// A string that is a whole user message.
    fn said(&mut self) -> Result<(), Fault> {
        let from = self.texts.len();
        self.tally.add(FACTORS.message);
        self.user_text()?;
        self.user_message(from);
        Ok(())
    }

    fn message(&mut self) -> Result<(), Fault> {
        self.cursor.open()?;
        self.tally.add(FACTORS.message);
        let from = self.texts.len();
        let (mut keys, mut first, mut user) = (Keys::new(MESSAGE), true, false);
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match keys.meet(self.cursor.body(), key)? {
                Some((name, Field::Role)) => {
                    user = self.word(name)?.is_some_and(|role| self.says(role, "user"));
                }
                Some((name, Field::Content)) => self.content(name)?,
                Some((_, Field::Nested)) => self.nested_content()?,
                Some((_, Field::Counted)) => self.counted()?,
                None => self.cursor.skip(&mut ())?,
            }
        }
        // the role may stand behind the content: only now it is known whose the texts are
        if user {
            self.user_message(from);
        } else {
            self.texts.truncate(from);
        }
        Ok(())
    }

    /// A message's content: a string or parts.
    fn content(&mut self, name: &'static str) -> Result<(), Fault> {
        match self.cursor.kind()? {
            Kind::String => return self.user_text(),
            Kind::Null => return self.cursor.skip(&mut ()),
            Kind::Array => self.cursor.open()?,
            _ => return Err(self.wrong(name, "a string or an array of parts")),
        }
        let mut first = true;
        while self.cursor.next_element(&mut first)? {
            match self.cursor.kind()? {
                Kind::String => self.user_text()?,
                Kind::Object => {
                    let own = self.part()?;
                    self.texts.extend(own);
                }
                _ => return Err(self.wrong(name, "a string or an array of parts")),
            }
        }
        Ok(())
    }

    /// Content that is not the message's own: of a tool's result, a system prompt. Of any shape.
    pub fn nested_content(&mut self) -> Result<(), Fault> {
        match self.cursor.kind()? {
            Kind::String => self.text().map(drop),
            Kind::Object => self.part().map(drop),
            Kind::Array => self.nested_parts(),
            _ => self.counted(),
        }
    }

    fn nested_parts(&mut self) -> Result<(), Fault> {
        self.cursor.open()?;
        let mut first = true;
        while self.cursor.next_element(&mut first)? {
            match self.cursor.kind()? {
                Kind::String => self.text().map(drop)?,
                Kind::Object => self.part().map(drop)?,
                _ => self.counted()?,
            }
        }
        Ok(())
    }

    /// Reads a part; answers its text if that is the message's own. A part holds parts only in an object of
    /// its own, so that the depth limit bounds the recursion.
    fn part(&mut self) -> Result<Option<Text>, Fault> {
        self.cursor.open()?;
        let (mut keys, mut first) = (Keys::new(PART), true);
        let (mut of_type, mut text, mut image) = (None, None, false);
        while let Some(key) = self.cursor.next_key(&mut first)? {
            match keys.meet(self.cursor.body(), key)? {
                Some((name, PartField::Type)) => of_type = self.part_type(name)?,
                Some((name, PartField::Text)) => text = self.part_text(name)?,
                Some((_, PartField::Nested)) => self.nested_content()?,
                Some((_, PartField::Counted)) => self.counted()?,
                Some((_, PartField::Image)) => {
                    image = self.cursor.kind()? != Kind::Null;
                    self.cursor.skip(&mut ())?;
                }
                None => self.cursor.skip(&mut ())?,
            }
        }
        // vLLM takes an `image_url` without a type for an image
        self.images += u64::from(of_type == Some(PartType::Image) || (of_type.is_none() && image));
        Ok(text.filter(|_| of_type == Some(PartType::Text)))
    }

    fn part_type(&mut self, name: &'static str) -> Result<Option<PartType>, Fault> {
        const IMAGES: [&str; 4] = ["image_url", "input_image", "image", "computer_screenshot"];
        let Some(word) = self.word(name)? else { return Ok(None) };
        Ok(Some(if self.says(word, "text") || self.says(word, "input_text") {
            PartType::Text
        } else if IMAGES.iter().any(|image| self.says(word, image)) {
            PartType::Image
        } else {
            PartType::Other
        }))
    }

    fn part_text(&mut self, name: &'static str) -> Result<Option<Text>, Fault> {
        match self.cursor.kind()? {
            Kind::String => self.text().map(Some),
            Kind::Null => self.cursor.skip(&mut ()).map(|()| None),
            _ => Err(self.wrong(name, "a string")),
        }
    }

    /// A string that is a word of the API's, and no text.
    fn word(&mut self, name: &'static str) -> Result<Option<Text>, Fault> {
        match self.cursor.kind()? {
            Kind::String => self.cursor.string(&mut ()).map(Some),
            Kind::Null => self.cursor.skip(&mut ()).map(|()| None),
            _ => Err(self.wrong(name, "a string")),
        }
    }

    fn says(&self, text: Text, word: &str) -> bool {
        text.says(self.cursor.body(), word)
    }

    /// Passes over a value and counts all of it; null is nothing.
    fn counted(&mut self) -> Result<(), Fault> {
        if self.cursor.kind()? == Kind::Null {
            return self.cursor.skip(&mut ());
        }
        self.tally.part();
        self.cursor.skip(&mut self.tally)
    }
}

#[cfg(test)]
mod tests;
