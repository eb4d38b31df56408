//! `BatchReader`: rows into `NumPy` arrays with the interpreter released.

use std::path::PathBuf;

use hfrisk_ecg::store::{self, Access, COUNT_LEADS, COUNT_VALUES, RECORD_VALUES, memory};
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
    #[pyo3(signature = (path, num_threads = 0, access = "auto"))]
    fn new(py: Python<'_>, path: PathBuf, num_threads: usize, access: &str) -> PyResult<Self> {
        let access =
            match access {
                "auto" => None,
                name => Some(Access::from_name(name).ok_or_else(|| {
                    PyValueError::new_err(format!("access {name:?}, expected \"auto\", \"mapped\" or \"pread\""))
                })?),
            };
        py.detach(|| store::BatchReader::open(&path, num_threads, access)).map(Self).map_err(|error| store_error(py, &error))
    }

    #[getter]
    fn access(&self) -> &'static str {
        self.0.access().name()
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

    fn chunk_bytes<'py>(&self, py: Python<'py>, rows: &Bound<'py, PyArray1<i64>>) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let rows = rows.try_readonly()?;
        let lengths = self.0.chunk_bytes(rows.as_slice()?).map_err(|error| store_error(py, &error))?;
        Ok(PyArray1::from_vec(py, lengths))
    }

    fn read_chunks_into(&self, py: Python<'_>, rows: &Bound<'_, PyArray1<i64>>, out: &Bound<'_, PyArrayDyn<u8>>) -> PyResult<()> {
        let rows = rows.try_readonly()?;
        let rows = rows.as_slice()?;
        let lengths = self.0.chunk_bytes(rows).map_err(|error| store_error(py, &error))?;
        let mut out = out.try_readwrite()?;
        let bytes = writable(&mut out, lengths.iter().sum::<u64>() as usize)?;
        py.detach(|| self.0.read_chunks_into(rows, bytes)).map_err(|error| store_error(py, &error))
    }

    fn holding(&self, py: Python<'_>, rows: &Bound<'_, PyArray1<i64>>) -> PyResult<Self> {
        let rows = rows.try_readonly()?;
        let rows = rows.as_slice()?;
        py.detach(|| self.0.holding(rows)).map(Self).map_err(|error| store_error(py, &error))
    }
}

#[pyfunction]
pub(crate) fn available_memory() -> Option<u64> {
    memory::available()
}

/// The memory of an array that is contiguous and has the expected number of values.
fn writable<'a, T: Element>(array: &'a mut PyReadwriteArrayDyn<'_, T>, expected: usize) -> PyResult<&'a mut [T]> {
    let values = array.as_slice_mut()?;
    if values.len() == expected {
        return Ok(values);
    }
    Err(PyValueError::new_err(format!("output of {} values, expected {expected}", values.len())))
}
