//! `parse` and `Recording`.

use std::path::PathBuf;

use hfrisk_ecg::convert::measurements;
use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Lead, Measurements, NUM_LEADS, ParseError, QualityFlags, STORE_RATE_HZ, Sex, Signal, source};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyDict, PyFrozenSet, PyTuple};

use crate::errors::parse_error;

/// One ECG.
#[pyclass(frozen, module = "hfrisk._core")]
pub(crate) struct Recording {
    recording: hfrisk_ecg::Recording,
    flags: QualityFlags,
    sampling_rate_hz: f64,
    #[pyo3(get)]
    signal: Py<PyArray2<f32>>,
}

#[pyfunction]
#[pyo3(signature = (source, *, native = false, strict = false, keep_statements = true))]
pub(crate) fn parse(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    native: bool,
    strict: bool,
    keep_statements: bool,
) -> PyResult<Recording> {
    let bytes = source.cast::<PyBytes>().ok().map(|bytes| bytes.as_bytes());
    let path = if bytes.is_none() { Some(source.extract::<PathBuf>()?) } else { None };
    let options = ParseOptions { strict, keep_statements, ..ParseOptions::default() };
    let parsed = py.detach(|| read(bytes, path.as_deref(), options, native));
    let (recording, flags, values) = parsed.map_err(|error| parse_error(py, &error, path.as_deref()))?;
    let sampling_rate_hz = if native { recording.signal.sampling_rate_hz } else { f64::from(STORE_RATE_HZ) };
    let num_samples = values.len() / NUM_LEADS;
    let signal = PyArray1::from_vec(py, values).reshape([NUM_LEADS, num_samples])?.unbind();
    Ok(Recording { recording, flags, sampling_rate_hz, signal })
}

fn read(
    bytes: Option<&[u8]>,
    path: Option<&std::path::Path>,
    options: ParseOptions,
    native: bool,
) -> Result<(hfrisk_ecg::Recording, QualityFlags, Vec<f32>), ParseError> {
    let mut file = Vec::new();
    if let Some(path) = path {
        source::read_file(path, options.max_bytes, &mut file)?;
    }
    let mut recording = hfrisk_ecg::Recording::default();
    Parser::new(options).parse(bytes.unwrap_or(&file), &mut recording)?;
    let (mut flags, mut resampled) = (recording.flags, Signal::default());
    let signal = if native {
        &recording.signal
    } else {
        flags.insert(Resampler::new().to_store(&recording.signal, &mut resampled)?);
        &resampled
    };
    let mut values = vec![0.0; NUM_LEADS * signal.num_samples];
    signal.write_microvolts(&mut values);
    Ok((recording, flags, values))
}

#[pymethods]
impl Recording {
    #[getter]
    fn sampling_rate_hz(&self) -> f64 {
        self.sampling_rate_hz
    }

    #[getter]
    fn native_sampling_rate_hz(&self) -> f64 {
        self.recording.signal.sampling_rate_hz
    }

    #[getter]
    fn lead_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, Lead::ALL.iter().map(|lead| lead.name()))
    }

    #[getter]
    fn lsb_uv<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let gains = PyDict::new(py);
        let signal = &self.recording.signal;
        for (lead, gain) in signal.lead_set.leads().iter().zip(signal.lsb_uv) {
            gains.set_item(lead.name(), gain)?;
        }
        Ok(gains)
    }

    #[getter]
    fn acquired_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        let time = self.recording.acquired_at;
        time.map(|at| PyDateTime::new(py, at.year, at.month, at.day, at.hour, at.minute, at.second, 0, None)).transpose()
    }

    #[getter]
    fn age_years(&self) -> Option<f32> {
        self.recording.age_years
    }

    #[getter]
    fn sex(&self) -> Option<&'static str> {
        self.recording.sex.map(Sex::name)
    }

    #[getter]
    fn device(&self) -> Option<&str> {
        self.recording.device.as_deref()
    }

    #[getter]
    fn dialect(&self) -> &'static str {
        self.recording.dialect.name()
    }

    #[getter]
    fn measurements<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, &self.recording.measurements)
    }

    #[getter]
    fn original_measurements<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, &self.recording.original_measurements)
    }

    #[getter]
    fn statements(&self) -> Vec<String> {
        self.recording.statements.clone()
    }

    #[getter]
    fn flags<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, self.flags.names())
    }

    #[getter]
    fn payload_hash(&self) -> u64 {
        self.recording.payload_hash
    }

    #[getter]
    fn num_leads_stored(&self) -> u8 {
        self.recording.num_leads_stored
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let num_samples = self.signal.bind(py).shape()[1];
        let flags: Vec<&str> = self.flags.names().collect();
        let flags = if flags.is_empty() { "no flags".to_owned() } else { flags.join(" ") };
        format!("<Recording {}: 12 leads x {num_samples} samples at {} Hz, {flags}>", self.dialect(), self.sampling_rate_hz)
    }
}

fn dict<'py>(py: Python<'py>, found: &Measurements) -> PyResult<Bound<'py, PyDict>> {
    let values = PyDict::new(py);
    for (name, value) in measurements(found) {
        values.set_item(name, value)?;
    }
    Ok(values)
}
