//! The codec on single chunks, for zarr-python.

use std::cell::RefCell;

use hfrisk_ecg::pack;
use numpy::{PyArray2, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::pack_error;

thread_local! {
    /// An encoder's buffers are larger than a chunk; made anew for each, they cost more than encoding it.
    static ENCODER: RefCell<(pack::Encoder, Vec<u8>)> = RefCell::default();
}

#[pyfunction]
pub(crate) fn ecgpack_encode<'py>(py: Python<'py>, values: &Bound<'py, PyArray2<f32>>) -> PyResult<Bound<'py, PyBytes>> {
    let num_leads = values.shape()[0];
    if !(1..=255).contains(&num_leads) {
        return Err(PyValueError::new_err(format!("{num_leads} rows, expected 1 to 255")));
    }
    let values = values.try_readonly()?;
    let values = values.as_slice()?;
    let (mut encoder, mut chunk) = ENCODER.take();
    chunk.clear();
    py.detach(|| encoder.encode_microvolts(values, num_leads, &mut chunk));
    let bytes = PyBytes::new(py, &chunk);
    ENCODER.set((encoder, chunk));
    Ok(bytes)
}

#[pyfunction]
pub(crate) fn ecgpack_decode(py: Python<'_>, chunk: &[u8], out: &Bound<'_, PyArrayDyn<f32>>) -> PyResult<()> {
    let mut out = out.try_readwrite()?;
    let values = out.as_slice_mut()?;
    py.detach(|| pack::decode_microvolts(chunk, values)).map_err(|error| pack_error(py, &error))
}
