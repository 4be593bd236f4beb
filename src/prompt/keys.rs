//! Which keys of an object are read, and that none of them stands twice.

use super::fault::{Fault, Shape};
use super::text::Text;

/// The keys that are read of one sort of object, and what each is read as.
pub(super) type Table<Field> = &'static [(&'static str, Field)];

/// The keys of one object, while it is read.
pub(super) struct Keys<Field: 'static> {
    table: Table<Field>,
    /// A bit for each of the table's keys that was met.
    met: u32,
}

impl<Field: Copy> Keys<Field> {
    /// For an object with these keys; 32 at most.
    pub const fn new(table: Table<Field>) -> Self {
        Self { table, met: 0 }
    }

    /// What the next key is read as; `None` for one that is not read, and may stand twice.
    pub fn meet(&mut self, body: &str, key: Text) -> Result<Option<(&'static str, Field)>, Fault> {
        let raw = key.raw(body);
        let same = |name: &str| if key.escaped { key.says(body, name) } else { raw == name };
        let mut bit = 1;
        for &(name, field) in self.table {
            if same(name) {
                let twice = self.met & bit != 0;
                self.met |= bit;
                if twice {
                    return Err(Fault::shape(key.start.saturating_sub(1), Shape::Duplicate(name)));
                }
                return Ok(Some((name, field)));
            }
            bit <<= 1;
        }
        Ok(None)
    }
}
