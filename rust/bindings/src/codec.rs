//! The codec on single chunks, for zarr-python.

use hfrisk_ecg::pack;
use numpy::{PyArray2, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::pack_error;

#[pyfunction]
pub(crate) fn ecgpack_encode<'py>(py: Python<'py>, values: &Bound<'py, PyArray2<f32>>) -> PyResult<Bound<'py, PyBytes>> {
    let num_leads = values.shape()[0];
    let values = values.try_readonly()?;
    let values = values.as_slice()?;
    let mut chunk = Vec::new();
    py.detach(|| pack::Encoder::new().encode_microvolts(values, num_leads, &mut chunk));
    Ok(PyBytes::new(py, &chunk))
}

#[pyfunction]
pub(crate) fn ecgpack_decode(py: Python<'_>, chunk: &[u8], out: &Bound<'_, PyArrayDyn<f32>>) -> PyResult<()> {
    let mut out = out.try_readwrite()?;
    let values = out.as_slice_mut()?;
    py.detach(|| pack::decode_microvolts(chunk, values)).map_err(|error| pack_error(py, &error))
}
