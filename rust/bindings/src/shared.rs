//! A conversion by many processes: one leads, the others convert the shards that they are given.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hfrisk_ecg::convert::{self as core, Request};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{codec_named, listened, progress_dict, skip_by_named, summary_dict};
use crate::errors::store_error;
use crate::recording::max_bytes;

/// Leads a conversion; nothing is left in it once it is closed or released.
#[pyclass(frozen, module = "hfrisk._core")]
pub(crate) struct SharedConversion(Mutex<Option<core::SharedConversion>>);

impl SharedConversion {
    fn held(&self) -> MutexGuard<'_, Option<core::SharedConversion>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, read: impl FnOnce(&core::SharedConversion) -> T) -> PyResult<T> {
        self.held().as_ref().map(read).ok_or_else(ended)
    }
}

fn ended() -> PyErr {
    PyValueError::new_err("this conversion has ended")
}

#[pymethods]
impl SharedConversion {
    #[new]
    #[pyo3(signature = (
        sources, out, *, codec = "ecgpack", strict = false, overwrite = false, keep_statements = false, skip_by = "file", max_file_mb = None,
        on_progress = None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        sources: Vec<PathBuf>,
        out: PathBuf,
        codec: &str,
        strict: bool,
        overwrite: bool,
        keep_statements: bool,
        skip_by: &str,
        max_file_mb: Option<f64>,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let codec = codec_named(codec)?;
        let skip_by = skip_by_named(skip_by)?;
        let max_bytes = max_file_mb.map(max_bytes).transpose()?;
        let request =
            Request { sources, out, codec, strict, keep_statements, skip_by, max_bytes, overwrite, ..Request::default() };
        let begun = listened(py, on_progress, |listener| core::SharedConversion::begin(&request, listener))?;
        Ok(Self(Mutex::new(Some(begun))))
    }

    #[getter]
    fn plan_id(&self) -> PyResult<u128> {
        self.with(core::SharedConversion::plan_id)
    }

    #[getter]
    fn num_files(&self) -> PyResult<usize> {
        self.with(core::SharedConversion::num_files)
    }

    #[getter]
    fn shards(&self) -> PyResult<Vec<(usize, usize)>> {
        self.with(|conversion| conversion.shards().collect())
    }

    fn first_source(&self, shard: usize) -> PyResult<PathBuf> {
        self.with(|conversion| conversion.shards().any(|(todo, _)| todo == shard).then(|| conversion.first_source(shard)))?
            .ok_or_else(|| PyValueError::new_err(format!("shard {shard} is none of those that are to be done")))
    }

    #[pyo3(signature = (*, num_threads = 0, num_rejected = 0, num_bytes = 0, on_progress = None))]
    fn close<'py>(
        &self,
        py: Python<'py>,
        num_threads: usize,
        num_rejected: u64,
        num_bytes: u64,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let conversion = self.held().take().ok_or_else(ended)?;
        let counts = (num_rejected, num_bytes);
        let summary = listened(py, on_progress, |listener| conversion.close(num_threads, counts, listener))?;
        summary_dict(py, &summary)
    }

    fn release(&self) {
        self.held().take();
    }
}

/// Converts the shards that somebody's `SharedConversion` hands out.
#[pyclass(frozen, module = "hfrisk._core")]
pub(crate) struct ShardConverter(core::ShardConverter);

#[pymethods]
impl ShardConverter {
    #[new]
    fn new(out: PathBuf) -> Self {
        Self(core::ShardConverter::new(&out))
    }

    #[getter]
    fn plan_id(&self, py: Python<'_>) -> PyResult<u128> {
        py.detach(|| self.0.plan_id()).map_err(|error| store_error(py, &error))
    }

    #[pyo3(signature = (plan_id, shards, *, num_threads = 1, on_progress = None))]
    fn convert<'py>(
        &self,
        py: Python<'py>,
        plan_id: u128,
        shards: Vec<usize>,
        num_threads: usize,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let done = listened(py, on_progress, |listener| self.0.convert(plan_id, &shards, num_threads, listener))?;
        progress_dict(py, &done)
    }
}
