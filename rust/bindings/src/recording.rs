//! `parse` and `Recording`.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use hfrisk_ecg::convert::measurements;
use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{DEFAULT_MAX_BYTES, ParseOptions, Parser};
use hfrisk_ecg::{Lead, NUM_LEADS, ParseError, STORE_RATE_HZ, Sex, Signal, source};
use numpy::ndarray::Array2;
use numpy::{PyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDateTime, PyDict, PyFrozenSet, PyTuple};

use crate::errors::parse_error;

/// A thread keeps its buffers for its next file, unless a file larger than this has blown them up.
const LARGEST_KEPT: usize = 4 << 20;

thread_local! {
    /// Taken out while in use: whatever Python code runs in between (a finalizer, say) and parses too finds nothing and makes its own.
    static WORKSPACE: Cell<Option<Box<Workspace>>> = const { Cell::new(None) };
}

/// What reading one file needs, reused from file to file.
#[derive(Default)]
struct Workspace {
    file: source::FileBuffer,
    parser: Parser,
    recording: hfrisk_ecg::Recording,
    resampler: Resampler,
    resampled: Signal,
}

/// One ECG. What is cheap to keep and dear to build for Python is built when it is asked for.
#[pyclass(frozen, module = "hfrisk._core")]
pub(crate) struct Recording {
    #[pyo3(get)]
    signal: Py<PyArray2<f32>>,
    #[pyo3(get)]
    sampling_rate_hz: f64,
    /// All but the counts.
    file: hfrisk_ecg::Recording,
    lsb_uv: PyOnceLock<Py<PyDict>>,
    measurements: PyOnceLock<Py<PyDict>>,
    original_measurements: PyOnceLock<Py<PyDict>>,
}

#[pyfunction]
#[pyo3(signature = (source, *, native = false, strict = false, keep_statements = true, max_file_mb = None))]
pub(crate) fn parse(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    native: bool,
    strict: bool,
    keep_statements: bool,
    max_file_mb: Option<f64>,
) -> PyResult<Recording> {
    let bytes = source.cast::<PyBytes>().ok().map(PyBytesMethods::as_bytes);
    let path = if bytes.is_none() { Some(source.extract::<PathBuf>()?) } else { None };
    let max_bytes = max_file_mb.map(max_bytes).transpose()?.unwrap_or(DEFAULT_MAX_BYTES);
    let options = ParseOptions { strict, keep_statements, max_bytes };
    let mut workspace = WORKSPACE.take().unwrap_or_default();
    let parsed = py.detach(|| workspace.read(bytes, path.as_deref(), options, native));
    // The header goes to Python, the counts stay to be overwritten.
    let mut file = std::mem::take(&mut workspace.recording);
    workspace.recording.signal.counts = std::mem::take(&mut file.signal.counts);
    if bytes.unwrap_or(&workspace.file).len() <= LARGEST_KEPT {
        WORKSPACE.set(Some(workspace));
    }
    let values = parsed.map_err(|error| parse_error(py, &error, path.as_deref()))?;
    let shape = (NUM_LEADS, values.len() / NUM_LEADS);
    let signal = Array2::from_shape_vec(shape, values).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Recording {
        signal: PyArray2::from_owned_array(py, signal).unbind(),
        sampling_rate_hz: if native { file.signal.sampling_rate_hz } else { f64::from(STORE_RATE_HZ) },
        file,
        lsb_uv: PyOnceLock::new(),
        measurements: PyOnceLock::new(),
        original_measurements: PyOnceLock::new(),
    })
}

/// Bytes of a limit in megabytes (2^20 bytes).
pub(crate) fn max_bytes(max_file_mb: f64) -> PyResult<u64> {
    let bytes = max_file_mb * f64::from(1 << 20);
    if bytes.is_finite() && bytes >= 1.0 {
        Ok(bytes as u64)
    } else {
        Err(PyValueError::new_err(format!("max_file_mb is {max_file_mb}, expected a positive number")))
    }
}

impl Workspace {
    /// Microvolts; the rest is in `recording`.
    fn read(
        &mut self,
        bytes: Option<&[u8]>,
        path: Option<&Path>,
        options: ParseOptions,
        native: bool,
    ) -> Result<Vec<f32>, ParseError> {
        let Self { file, parser, recording, resampler, resampled } = self;
        if let Some(path) = path {
            source::read_file(path, options.max_bytes, file)?;
        }
        parser.set_options(options);
        parser.parse(bytes.unwrap_or(file), recording)?;
        if native {
            return Ok(recording.signal.to_microvolts());
        }
        let (signal, flags) = resampler.to_store(&recording.signal, resampled)?;
        recording.flags.insert(flags);
        Ok(signal.to_microvolts())
    }
}

#[pymethods]
impl Recording {
    #[getter]
    fn native_sampling_rate_hz(&self) -> f64 {
        self.file.signal.sampling_rate_hz
    }

    #[getter]
    #[allow(clippy::unused_self, reason = "a property of every recording")]
    fn lead_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, Lead::ALL.iter().map(|lead| lead.name()))
    }

    #[getter]
    fn lsb_uv<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let Signal { lead_set, lsb_uv, .. } = &self.file.signal;
        once(py, &self.lsb_uv, || lead_set.leads().iter().map(|lead| lead.name()).zip(*lsb_uv))
    }

    #[getter]
    fn acquired_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        let acquired_at = self.file.acquired_at;
        acquired_at.map(|at| PyDateTime::new(py, at.year, at.month, at.day, at.hour, at.minute, at.second, 0, None)).transpose()
    }

    #[getter]
    fn age_years(&self) -> Option<f32> {
        self.file.age_years
    }

    #[getter]
    fn sex(&self) -> Option<&'static str> {
        self.file.sex.map(Sex::name)
    }

    #[getter]
    fn device(&self) -> Option<&str> {
        self.file.device.as_deref()
    }

    #[getter]
    fn dialect(&self) -> &'static str {
        self.file.dialect.name()
    }

    #[getter]
    fn measurements<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        once(py, &self.measurements, || measurements(&self.file.measurements))
    }

    #[getter]
    fn original_measurements<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        once(py, &self.original_measurements, || measurements(&self.file.original_measurements))
    }

    #[getter]
    fn statements(&self) -> &[String] {
        &self.file.statements
    }

    #[getter]
    fn flags<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, self.file.flags.names())
    }

    #[getter]
    fn payload_hash(&self) -> u64 {
        self.file.payload_hash
    }

    #[getter]
    fn num_leads_stored(&self) -> u8 {
        self.file.num_leads_stored
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let num_samples = self.signal.bind(py).shape()[1];
        let num_flags = self.file.flags.names().count();
        let (dialect, rate_hz) = (self.file.dialect.name(), self.sampling_rate_hz);
        format!("<Recording {dialect}: 12 leads x {num_samples} samples at {rate_hz} Hz, {num_flags} quality flags>")
    }
}

/// The dictionary in `cell`, made of `items` the first time, so that it is the same object every time.
fn once<'a, 'py, V, I>(
    py: Python<'py>,
    cell: &'a PyOnceLock<Py<PyDict>>,
    items: impl FnOnce() -> I,
) -> PyResult<&'a Bound<'py, PyDict>>
where
    V: IntoPyObject<'py>,
    I: Iterator<Item = (&'static str, V)>,
{
    let made = cell.get_or_try_init(py, || {
        let values = PyDict::new(py);
        for (name, value) in items() {
            values.set_item(name, value)?;
        }
        Ok::<_, PyErr>(values.unbind())
    })?;
    Ok(made.bind(py))
}
