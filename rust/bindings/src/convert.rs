//! Conversions with the interpreter released; Ctrl-C and the caller's function are answered at every tick.

use std::ops::ControlFlow;
use std::path::PathBuf;

use hfrisk_ecg::StoreError;
use hfrisk_ecg::convert::{self as core, Progress, Request, SkipBy, Summary, Verification};
use hfrisk_ecg::store::Codec;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::errors::store_error;
use crate::recording::max_bytes;

#[pyfunction]
#[pyo3(signature = (
    sources, out, *, num_threads = 0, codec = "ecgpack", strict = false, overwrite = false, keep_statements = false,
    skip_by = "file", max_file_mb = None, memory = None, part = None, on_progress = None
))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn convert<'py>(
    py: Python<'py>,
    sources: Vec<PathBuf>,
    out: PathBuf,
    num_threads: usize,
    codec: &str,
    strict: bool,
    overwrite: bool,
    keep_statements: bool,
    skip_by: &str,
    max_file_mb: Option<f64>,
    memory: Option<u64>,
    part: Option<(usize, usize)>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let codec = codec_named(codec)?;
    let skip_by = skip_by_named(skip_by)?;
    if part.is_some_and(|(part, num_parts)| part == 0 || part > num_parts || overwrite) {
        return Err(PyValueError::new_err("a part is a pair (i, n) with 1 <= i <= n, and does not overwrite"));
    }
    let max_bytes = max_file_mb.map(max_bytes).transpose()?;
    let request =
        Request { sources, out, num_threads, codec, strict, keep_statements, skip_by, max_bytes, memory, overwrite, part };
    let summary = listened(py, on_progress, |listener| core::convert(&request, listener))?;
    summary_dict(py, &summary)
}

#[pyfunction]
#[pyo3(signature = (out, *, num_threads = 0, on_progress = None))]
pub(crate) fn finish(
    py: Python<'_>,
    out: PathBuf,
    num_threads: usize,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'_, PyDict>> {
    let summary = listened(py, on_progress, |listener| core::finish(&out, num_threads, listener))?;
    summary_dict(py, &summary)
}

#[pyfunction]
#[pyo3(signature = (out, *, num_threads = 0, on_progress = None))]
pub(crate) fn verify(
    py: Python<'_>,
    out: PathBuf,
    num_threads: usize,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'_, PyDict>> {
    let found = listened(py, on_progress, |listener| core::verify(&out, num_threads, listener))?;
    let Verification { num_rows, num_recordings, num_files, num_bytes, damages, seconds } = found;
    let counts = [("num_rows", num_rows), ("num_recordings", num_recordings), ("num_files", num_files), ("num_bytes", num_bytes)];
    let values = counts.into_py_dict(py)?;
    let damages: Vec<_> = damages.into_iter().map(|damage| (damage.file, damage.row, damage.problem)).collect();
    values.set_item("damages", damages)?;
    values.set_item("seconds", seconds)?;
    Ok(values)
}

pub(crate) fn codec_named(name: &str) -> PyResult<Codec> {
    Codec::from_name(name).ok_or_else(|| {
        let names = Codec::ALL.map(Codec::name).join(", ");
        PyValueError::new_err(format!("codec {name:?} is not one of {names}"))
    })
}

pub(crate) fn skip_by_named(name: &str) -> PyResult<SkipBy> {
    SkipBy::from_name(name).ok_or_else(|| PyValueError::new_err(format!("skip_by {name:?}, expected \"file\" or \"payload\"")))
}

/// Do `work` without the interpreter; what the caller's function or a signal raises ends it and comes out.
pub(crate) fn listened<T: Send>(
    py: Python<'_>,
    on_progress: Option<Py<PyAny>>,
    work: impl FnOnce(&mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<T, StoreError> + Send,
) -> PyResult<T> {
    let mut failure = None;
    let result = py.detach(|| {
        work(&mut |progress| {
            let heard = Python::attach(|py| {
                py.check_signals()?;
                on_progress.as_ref().map_or(Ok(()), |function| function.call1(py, (progress_dict(py, progress)?,)).map(drop))
            });
            match heard {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
    });
    match (result, failure) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(store_error(py, &error)),
        (Ok(value), None) => Ok(value),
    }
}

pub(crate) fn progress_dict<'py>(py: Python<'py>, progress: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let Progress { num_files, num_done, num_resumed, num_rejected, num_bytes, seconds } = *progress;
    let counts = [num_files, num_done, num_resumed, num_rejected, num_bytes];
    let values =
        ["num_files", "num_done", "num_resumed", "num_rejected", "num_bytes"].into_iter().zip(counts).into_py_dict(py)?;
    values.set_item("seconds", seconds)?;
    Ok(values)
}

pub(crate) fn summary_dict<'py>(py: Python<'py>, summary: &Summary) -> PyResult<Bound<'py, PyDict>> {
    let counts = [
        ("num_files", summary.num_files),
        ("num_converted", summary.num_converted),
        ("num_rejected", summary.num_rejected),
        ("num_new_files", summary.num_new_files),
        ("num_new_duplicates", summary.num_new_duplicates),
        ("num_new_rejected", summary.num_new_rejected),
        ("num_skipped", summary.num_skipped),
        ("num_duplicates", summary.num_duplicates),
        ("num_files_read", summary.num_files_read),
        ("num_bytes", summary.num_bytes),
    ];
    let values = counts.into_py_dict(py)?;
    values.set_item("is_complete", summary.is_complete)?;
    values.set_item("rejections", &summary.rejections)?;
    values.set_item("flags", &summary.flags)?;
    values.set_item("seconds", summary.seconds)?;
    Ok(values)
}
