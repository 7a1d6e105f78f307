//! The `km` program. Its `main` is `km::main`, called by `sys::start`.
#![no_main]

use km as _;
