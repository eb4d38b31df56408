//! The module `hfrisk._core`: thin clothes for `hfrisk-ecg`, documented in `python/hfrisk/_core.pyi`.

// PyO3 extracts arguments by value.
#![allow(clippy::needless_pass_by_value)]

mod codec;
mod convert;
mod errors;
mod reader;
mod recording;
mod shared;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("build_profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    if cfg!(debug_assertions) {
        let message =
            c"hfrisk._core is a debug build, many times slower than a release build; build with `maturin develop --release`";
        PyErr::warn(module.py(), &module.py().get_type::<PyRuntimeWarning>(), message, 1)?;
    }
    module.add("instruction_sets", hfrisk_ecg::cpu::instruction_sets())?;
    module.add_class::<reader::BatchReader>()?;
    module.add_class::<recording::Recording>()?;
    module.add_class::<shared::ShardConverter>()?;
    module.add_class::<shared::SharedConversion>()?;
    module.add_function(wrap_pyfunction!(reader::available_memory, module)?)?;
    module.add_function(wrap_pyfunction!(recording::parse, module)?)?;
    module.add_function(wrap_pyfunction!(convert::convert, module)?)?;
    module.add_function(wrap_pyfunction!(convert::finish, module)?)?;
    module.add_function(wrap_pyfunction!(convert::verify, module)?)?;
    module.add_function(wrap_pyfunction!(codec::ecgpack_encode, module)?)?;
    module.add_function(wrap_pyfunction!(codec::ecgpack_decode, module)?)
}
