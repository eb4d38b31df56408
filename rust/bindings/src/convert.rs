//! `convert` with the interpreter released; Ctrl-C and the caller's function are answered at every tick.

use std::ops::ControlFlow;
use std::path::PathBuf;

use hfrisk_ecg::convert::{Progress, Request, Summary};
use hfrisk_ecg::store::Codec;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::store_error;

#[pyfunction]
#[pyo3(signature = (
    sources, out, *, num_threads = 0, codec = "ecgpack", strict = false, overwrite = false, keep_statements = false, on_progress = None
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
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let codec = Codec::from_name(codec).ok_or_else(|| {
        let names = Codec::ALL.map(Codec::name).join(", ");
        PyValueError::new_err(format!("codec {codec:?} is not one of {names}"))
    })?;
    let request = Request { sources, out, num_threads, codec, strict, keep_statements, overwrite };
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
    let values = PyDict::new(py);
    values.set_item("num_files", progress.num_files)?;
    values.set_item("num_done", progress.num_done)?;
    values.set_item("num_resumed", progress.num_resumed)?;
    values.set_item("num_rejected", progress.num_rejected)?;
    values.set_item("num_bytes", progress.num_bytes)?;
    values.set_item("seconds", progress.seconds)?;
    Ok(values)
}

fn summary_dict<'py>(py: Python<'py>, summary: &Summary) -> PyResult<Bound<'py, PyDict>> {
    let values = PyDict::new(py);
    values.set_item("num_files", summary.num_files)?;
    values.set_item("num_converted", summary.num_converted)?;
    values.set_item("num_rejected", summary.num_rejected)?;
    values.set_item("rejections", &summary.rejections)?;
    values.set_item("flags", &summary.flags)?;
    values.set_item("num_skipped", summary.num_skipped)?;
    values.set_item("num_files_read", summary.num_files_read)?;
    values.set_item("num_bytes", summary.num_bytes)?;
    values.set_item("seconds", summary.seconds)?;
    Ok(values)
}
