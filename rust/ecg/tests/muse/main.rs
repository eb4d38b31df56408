//! The MUSE parser against real files, against a table of defects, and against properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub, missing_docs)]

mod builder;
mod defects;
mod oracle;
mod properties;
mod rules;
mod variants;
