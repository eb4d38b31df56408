//! Files that were planned together.

use serde_json::{Value, json};

use crate::store::layout::SHARD_ROWS;

/// Files that were planned together; the first has the first row of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) first_row: usize,
    pub(crate) first_entry: usize,
    pub(crate) num_files: usize,
    /// Files that were listed with these, and hold what others do.
    pub(crate) num_duplicates: usize,
    /// The arguments, as JSON.
    pub(crate) sources: String,
}

pub(crate) fn write_generations(generations: &[Generation]) -> String {
    let one = |generation: &Generation| {
        let sources: Value = generation.sources.parse().unwrap_or_default();
        let mut value = json!({"first_row": generation.first_row, "num_files": generation.num_files, "sources": sources});
        if generation.num_duplicates > 0 {
            value["num_duplicates"] = generation.num_duplicates.into();
        }
        value
    };
    generations.iter().map(one).collect::<Value>().to_string()
}

pub(crate) fn read_generations(text: &str) -> Option<Vec<Generation>> {
    let mut generations: Vec<Generation> = Vec::new();
    let mut first_entry = 0;
    for found in text.parse::<Value>().ok()?.as_array()? {
        let number = |key: &str| found.get(key).and_then(Value::as_u64).map(|number| number as usize);
        let (first_row, num_files) = (number("first_row")?, number("num_files")?);
        let begins = generations.last().map_or(0, |last| (last.first_row + last.num_files).next_multiple_of(SHARD_ROWS));
        if first_row != begins || num_files == 0 {
            return None;
        }
        let num_duplicates = number("num_duplicates").unwrap_or(0);
        let sources = found.get("sources")?.to_string();
        generations.push(Generation { first_row, first_entry, num_files, num_duplicates, sources });
        first_entry += num_files;
    }
    (!generations.is_empty()).then_some(generations)
}
