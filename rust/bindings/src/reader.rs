//! `BatchReader`: rows into `NumPy` arrays with the interpreter released.

use std::path::PathBuf;

use hfrisk_ecg::store::{self, COUNT_LEADS, COUNT_VALUES, RECORD_VALUES};
use numpy::{Element, PyArray1, PyArrayDyn, PyArrayMethods, PyReadwriteArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::store_error;

/// Reads rows of a store.
#[pyclass(frozen, module = "hfrisk._core")]
pub(crate) struct BatchReader(store::BatchReader);

#[pymethods]
impl BatchReader {
    #[new]
    #[pyo3(signature = (path, num_threads = 0))]
    fn new(py: Python<'_>, path: PathBuf, num_threads: usize) -> PyResult<Self> {
        py.detach(|| store::BatchReader::open(&path, num_threads)).map(Self).map_err(|error| store_error(py, &error))
    }

    #[getter]
    fn num_rows(&self) -> usize {
        self.0.layout().num_rows
    }

    #[getter]
    fn codec(&self) -> &'static str {
        self.0.layout().codec.name()
    }

    #[getter]
    fn num_threads(&self) -> usize {
        self.0.num_threads()
    }

    fn read_into(&self, py: Python<'_>, rows: &Bound<'_, PyArray1<i64>>, out: &Bound<'_, PyArrayDyn<f32>>) -> PyResult<()> {
        let rows = rows.try_readonly()?;
        let rows = rows.as_slice()?;
        let mut out = out.try_readwrite()?;
        let values = writable(&mut out, rows.len() * RECORD_VALUES)?;
        py.detach(|| self.0.read_into(rows, values)).map_err(|error| store_error(py, &error))
    }

    fn read_counts_into(
        &self,
        py: Python<'_>,
        rows: &Bound<'_, PyArray1<i64>>,
        out: &Bound<'_, PyArrayDyn<i16>>,
        lsb_uv: &Bound<'_, PyArrayDyn<f32>>,
    ) -> PyResult<()> {
        let rows = rows.try_readonly()?;
        let rows = rows.as_slice()?;
        let (mut out, mut lsb_uv) = (out.try_readwrite()?, lsb_uv.try_readwrite()?);
        let counts = writable(&mut out, rows.len() * COUNT_VALUES)?;
        let gains = writable(&mut lsb_uv, rows.len() * COUNT_LEADS)?;
        py.detach(|| self.0.read_counts_into(rows, counts, gains)).map_err(|error| store_error(py, &error))
    }
}

/// The memory of an array that is contiguous and has the expected number of values.
fn writable<'a, T: Element>(array: &'a mut PyReadwriteArrayDyn<'_, T>, expected: usize) -> PyResult<&'a mut [T]> {
    let values = array.as_slice_mut()?;
    if values.len() == expected {
        return Ok(values);
    }
    Err(PyValueError::new_err(format!("output of {} values, expected {expected}", values.len())))
}
