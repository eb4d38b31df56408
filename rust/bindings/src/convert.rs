//! `convert` with the interpreter released; Ctrl-C and the caller's function are answered at every tick.

use std::ops::ControlFlow;
use std::path::PathBuf;

use hfrisk_ecg::convert::{Progress, Request, Summary};
use hfrisk_ecg::store::Codec;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::errors::store_error;
use crate::recording::max_bytes;

#[pyfunction]
#[pyo3(signature = (
    sources, out, *, num_threads = 0, codec = "ecgpack", strict = false, overwrite = false, keep_statements = false, max_file_mb = None,
    memory = None, on_progress = None
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
    max_file_mb: Option<f64>,
    memory: Option<u64>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let codec = Codec::from_name(codec).ok_or_else(|| {
        let names = Codec::ALL.map(Codec::name).join(", ");
        PyValueError::new_err(format!("codec {codec:?} is not one of {names}"))
    })?;
    let max_bytes = max_file_mb.map(max_bytes).transpose()?;
    let request = Request { sources, out, num_threads, codec, strict, keep_statements, max_bytes, memory, overwrite };
    let mut failure = None;
    let result = py.detach(|| {
        hfrisk_ecg::convert::convert(&request, &mut |progress| {
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
        (Ok(summary), None) => summary_dict(py, &summary),
    }
}

fn progress_dict<'py>(py: Python<'py>, progress: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let Progress { num_files, num_done, num_resumed, num_rejected, num_bytes, seconds } = *progress;
    let counts = [num_files, num_done, num_resumed, num_rejected, num_bytes];
    let values =
        ["num_files", "num_done", "num_resumed", "num_rejected", "num_bytes"].into_iter().zip(counts).into_py_dict(py)?;
    values.set_item("seconds", seconds)?;
    Ok(values)
}

fn summary_dict<'py>(py: Python<'py>, summary: &Summary) -> PyResult<Bound<'py, PyDict>> {
    let counts = [
        ("num_files", summary.num_files),
        ("num_converted", summary.num_converted),
        ("num_rejected", summary.num_rejected),
        ("num_skipped", summary.num_skipped),
        ("num_files_read", summary.num_files_read),
        ("num_bytes", summary.num_bytes),
    ];
    let values = counts.into_py_dict(py)?;
    values.set_item("rejections", &summary.rejections)?;
    values.set_item("flags", &summary.flags)?;
    values.set_item("seconds", summary.seconds)?;
    Ok(values)
}
