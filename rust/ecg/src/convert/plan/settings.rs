//! What must be the same for two runs to write the same bytes.

use crate::convert::Request;
use crate::convert::parquet_file::TableReader;
use crate::store::Codec;
use crate::store::layout::SCHEMA_VERSION;
use crate::xml::DEFAULT_MAX_BYTES;

const SCHEMA_NOTE: &str = "hfrisk.schema";

/// What must be the same for two runs to write the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) codec: Codec,
    pub(crate) strict: bool,
    pub(crate) keep_statements: bool,
    pub(crate) max_bytes: u64,
}

impl Settings {
    pub(crate) fn of(request: &Request) -> Self {
        let Request { codec, strict, keep_statements, max_bytes, .. } = *request;
        Self { codec, strict, keep_statements, max_bytes: max_bytes.unwrap_or(DEFAULT_MAX_BYTES) }
    }

    pub(crate) fn notes(&self) -> [(&'static str, String); 5] {
        [
            (SCHEMA_NOTE, SCHEMA_VERSION.to_string()),
            ("hfrisk.codec", self.codec.name().to_owned()),
            ("hfrisk.strict", self.strict.to_string()),
            ("hfrisk.keep_statements", self.keep_statements.to_string()),
            ("hfrisk.max_bytes", self.max_bytes.to_string()),
        ]
    }

    pub(crate) fn read(table: &TableReader) -> Option<Self> {
        let note = |key| table.note(key);
        Some(Self {
            codec: note(SCHEMA_NOTE)
                .filter(|schema| *schema == SCHEMA_VERSION.to_string())
                .and_then(|_| note("hfrisk.codec"))
                .and_then(Codec::from_name)?,
            strict: note("hfrisk.strict")?.parse().ok()?,
            keep_statements: note("hfrisk.keep_statements")?.parse().ok()?,
            max_bytes: note("hfrisk.max_bytes")?.parse().ok()?,
        })
    }
}
