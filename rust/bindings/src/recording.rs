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
#[pyclass(frozen, get_all, module = "hfrisk._core")]
pub(crate) struct Recording {
    signal: Py<PyArray2<f32>>,
    sampling_rate_hz: f64,
    native_sampling_rate_hz: f64,
    lead_names: Py<PyTuple>,
    lsb_uv: Py<PyDict>,
    acquired_at: Option<Py<PyDateTime>>,
    age_years: Option<f32>,
    sex: Option<&'static str>,
    device: Option<String>,
    dialect: &'static str,
    measurements: Py<PyDict>,
    original_measurements: Py<PyDict>,
    statements: Vec<String>,
    flags: Py<PyFrozenSet>,
    payload_hash: u64,
    num_leads_stored: u8,
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
    let bytes = source.cast::<PyBytes>().ok().map(PyBytesMethods::as_bytes);
    let path = if bytes.is_none() { Some(source.extract::<PathBuf>()?) } else { None };
    let options = ParseOptions { strict, keep_statements, ..ParseOptions::default() };
    let parsed = py.detach(|| read(bytes, path.as_deref(), options, native));
    let (recording, flags, values) = parsed.map_err(|error| parse_error(py, &error, path.as_deref()))?;
    let (num_samples, signal) = (values.len() / NUM_LEADS, recording.signal);
    let lsb_uv = PyDict::new(py);
    for (lead, gain) in signal.lead_set.leads().iter().zip(signal.lsb_uv) {
        lsb_uv.set_item(lead.name(), gain)?;
    }
    let acquired_at = recording.acquired_at;
    let acquired_at =
        acquired_at.map(|at| PyDateTime::new(py, at.year, at.month, at.day, at.hour, at.minute, at.second, 0, None));
    Ok(Recording {
        signal: PyArray1::from_vec(py, values).reshape([NUM_LEADS, num_samples])?.unbind(),
        sampling_rate_hz: if native { signal.sampling_rate_hz } else { f64::from(STORE_RATE_HZ) },
        native_sampling_rate_hz: signal.sampling_rate_hz,
        lead_names: PyTuple::new(py, Lead::ALL.iter().map(|lead| lead.name()))?.unbind(),
        lsb_uv: lsb_uv.unbind(),
        acquired_at: acquired_at.transpose()?.map(Bound::unbind),
        age_years: recording.age_years,
        sex: recording.sex.map(Sex::name),
        device: recording.device,
        dialect: recording.dialect.name(),
        measurements: dict(py, &recording.measurements)?,
        original_measurements: dict(py, &recording.original_measurements)?,
        statements: recording.statements,
        flags: PyFrozenSet::new(py, flags.names())?.unbind(),
        payload_hash: recording.payload_hash,
        num_leads_stored: recording.num_leads_stored,
    })
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
    fn __repr__(&self, py: Python<'_>) -> String {
        let num_samples = self.signal.bind(py).shape()[1];
        let num_flags = self.flags.bind(py).len();
        let Self { dialect, sampling_rate_hz, .. } = self;
        format!("<Recording {dialect}: 12 leads x {num_samples} samples at {sampling_rate_hz} Hz, {num_flags} quality flags>")
    }
}

fn dict(py: Python<'_>, found: &Measurements) -> PyResult<Py<PyDict>> {
    let values = PyDict::new(py);
    for (name, value) in measurements(found) {
        values.set_item(name, value)?;
    }
    Ok(values.unbind())
}
