//! Errors of the crate as the exceptions of `hfrisk.errors`.

use std::fs::{self, File};
use std::path::Path;

use hfrisk_ecg::{PackError, ParseError, StoreError};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

fn raised(py: Python<'_>, name: &str, message: &str, keywords: &Bound<'_, PyDict>) -> PyErr {
    let exception = py.import("hfrisk.errors").and_then(|module| module.getattr(name)?.call((message,), Some(keywords)));
    exception.map_or_else(|error| error, PyErr::from_value)
}

/// `hfrisk.errors.StoreError`, or what it is more exactly, with its hint; a cancelled run is a `KeyboardInterrupt`.
pub(crate) fn store_error(py: Python<'_>, error: &StoreError) -> PyErr {
    if matches!(error, StoreError::Cancelled) {
        return PyKeyboardInterrupt::new_err(());
    }
    let name = match error {
        StoreError::Chunk { source: PackError::NotCounts, .. } => "NotCountsError",
        _ => "StoreError",
    };
    with_hint(py, name, &error.to_string(), error.hint())
}

/// `hfrisk.errors.StoreError` for a single chunk.
pub(crate) fn pack_error(py: Python<'_>, error: &PackError) -> PyErr {
    with_hint(py, "StoreError", &error.to_string(), Some("the chunk is damaged, or it is not one of ecgpack; convert again"))
}

fn with_hint(py: Python<'_>, name: &str, message: &str, hint: Option<&str>) -> PyErr {
    let keywords = PyDict::new(py);
    match keywords.set_item("hint", hint) {
        Ok(()) => raised(py, name, message, &keywords),
        Err(error) => error,
    }
}

/// `hfrisk.errors.ParseError`, its message beginning with the path when there is one; Python's own `OSError` for a file that does not open.
pub(crate) fn parse_error(py: Python<'_>, error: &ParseError, path: Option<&Path>) -> PyErr {
    if let (ParseError::Unreadable { .. }, Some(path)) = (error, path)
        && let Err(refusal) =
            fs::metadata(path).and_then(|found| if found.is_file() { File::open(path).map(drop) } else { Ok(()) })
        && let Some(number) = refusal.raw_os_error()
    {
        let words = refusal.to_string();
        let words = words.split(" (os error").next().unwrap_or_default().to_owned();
        return PyOSError::new_err((number, words, path.to_owned()));
    }
    let message = path.map_or_else(|| error.to_string(), |path| format!("{}: {error}", path.display()));
    let keywords = PyDict::new(py);
    let filled = keywords
        .set_item("kind", error.kind())
        .and_then(|()| keywords.set_item("byte_offset", error.byte_offset()))
        .and_then(|()| keywords.set_item("hint", error.hint()));
    match filled {
        Ok(()) => raised(py, "ParseError", &message, &keywords),
        Err(error) => error,
    }
}
