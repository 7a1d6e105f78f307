//! The shim: all the code that runs inside a virtual machine beside the
//! payload. It is built into a small ELF image of its own, which the monitor
//! loads into guest memory.
//!
//! It uses no stack, no data and no register: the monitor reads and writes
//! the vCPU's registers itself.
#![no_std]
#![no_main]

#[path = "../abi/src/ports.rs"]
mod ports;
#[path = "../abi/src/shim.rs"]
mod layout;

use core::arch::global_asm;

global_asm!(
    ".section .shim, \"ax\", @progbits",
    ".global shim_start",
    "shim_start:",
    // The monitor writes the result to rax. Where the entry runs in ring 3
    // it continues at rcx itself and `sysretq` is never reached.
    ".org shim_start + {syscall_entry}",
    "out {syscall_port}, al",
    "sysretq",
    // The monitor continues at rcx itself.
    ".org shim_start + {gate}",
    "out {gate_port}, al",
    "jmp rcx",
    ".org shim_start + {enter_user}",
    "iretq",
    // The port tells the vector, the frame lies on the stack, the monitor
    // continues at `iretq` or elsewhere.
    ".set vector, 0",
    ".rept {vectors}",
    ".org shim_start + {exception_entry} + vector * {exception_stride}",
    "out {exception_port} + vector, al",
    "hlt",
    ".set vector, vector + 1",
    ".endr",
    ".org shim_start + {size}",
    syscall_entry = const layout::SYSCALL_ENTRY,
    syscall_port = const ports::SYSCALL,
    gate = const layout::GATE,
    gate_port = const ports::GATE,
    enter_user = const layout::ENTER_USER,
    exception_entry = const layout::EXCEPTION_ENTRY,
    exception_stride = const layout::EXCEPTION_STRIDE,
    exception_port = const ports::EXCEPTION,
    vectors = const ports::VECTORS,
    size = const layout::SIZE,
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
