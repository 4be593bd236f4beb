//! `sluice schema`: the JSON Schemas of both files, for editors.

/// The file whose schema is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// `sluice.yaml`
    Settings,
    /// `policy.yaml`
    Policy,
}

impl Schema {
    /// The schema, as it stands in `conf/`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Settings => include_str!("../../conf/settings.schema.json"),
            Self::Policy => include_str!("../../conf/policy.schema.json"),
        }
    }
}
