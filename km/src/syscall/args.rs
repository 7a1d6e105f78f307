//! What the arguments of a system call are.
//!
//! A row of the table names each argument and says what it means. The proxy
//! reads this to turn payload pointers into host pointers, the tracer to
//! print them.

/// One argument: its name in the man page, and its meaning.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    pub name: &'static str,
    pub kind: Kind,
}

/// What an argument means.
///
/// Every pointer kind may be NULL: NULL is handed to the host kernel as it
/// is, which knows whether that is allowed.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A 32-bit signed number.
    Int,
    /// A 32-bit unsigned number.
    Uint,
    /// A 64-bit signed number.
    Long,
    /// A 64-bit unsigned number: a size, a count.
    Size,
    /// A number best read in hexadecimal.
    Hex,
    /// File permission bits, in octal.
    Mode,
    /// A descriptor. One of the monitor's own is refused with EBADF.
    Fd,
    /// A descriptor or `AT_FDCWD`.
    DirFd,
    /// One of a set of named values, or an or of named bits.
    Flags(&'static Flags),
    /// A signal number.
    Signal,
    /// An address in the payload that the call does not dereference.
    Address,
    /// A NUL-terminated path.
    Path,
    /// A path the call writes, with its NUL: at most a page, whatever size the
    /// payload gives.
    PathOut,
    /// Any other NUL-terminated string.
    Str,
    /// Bytes the call reads; their number stands in the argument of that
    /// index.
    BufIn(u8),
    /// Bytes the call writes; their number stands in the argument of that
    /// index.
    BufOut(u8),
    /// Bytes the call writes, as many as it has; the most there is room for
    /// stands in the argument of that index.
    BufPart(u8),
    /// A structure the call reads.
    In(&'static Struct),
    /// A structure the call writes.
    Out(&'static Struct),
    /// A structure the call reads and writes.
    InOut(&'static Struct),
    /// An array the call reads; the number of elements stands in the
    /// argument of that index.
    ArrayIn(&'static Struct, u8),
    /// An array the call writes, likewise.
    ArrayOut(&'static Struct, u8),
    /// An array the call reads and writes, likewise.
    ArrayInOut(&'static Struct, u8),
    /// `struct iovec` array, buffers read by the call; count in the argument
    /// of that index.
    IovIn(u8),
    /// `struct iovec` array, buffers written by the call, likewise.
    IovOut(u8),
    /// A socket address the call reads; its length stands in the argument of
    /// that index.
    SockaddrIn(u8),
    /// A socket address the call writes; the argument of that index points to
    /// its length.
    SockaddrOut(u8),
    /// `struct msghdr`, the message read by the call.
    MsgIn,
    /// `struct msghdr`, the message written by the call.
    MsgOut,
    /// A NULL-terminated array of strings.
    Argv,
    /// The same for an environment, too long to be shown.
    Envp,
    /// Memory that nested pointers or another rule describe: the row has a
    /// handler.
    Nested,
    /// An argument the call ignores.
    Unused,
}

/// Named values for flags and enumerations.
#[derive(Debug)]
pub struct Flags {
    /// `(mask, value, name)`: the name stands for `argument & mask == value`.
    /// Enumerated fields share a mask; single bits have `mask == value`.
    pub names: &'static [(u64, u64, &'static str)],
    /// What a value with no name is called: `ARCH_???`.
    pub unknown: &'static str,
}

/// A structure in payload memory.
#[derive(Debug)]
pub struct Struct {
    /// Its name without `struct`.
    pub name: &'static str,
    /// Size in bytes on x86-64.
    pub size: usize,
    pub look: Look,
    /// Its fields, as far as the tracer prints them.
    pub fields: &'static [Field],
}

/// How the tracer prints a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// `{field=value, …}`, all fields.
    Whole,
    /// The same, with fields left out.
    Short,
    /// `[value, …]`: a number, or a few of a kind.
    Brackets,
    /// `struct stat`, whose fields depend on the type of file.
    Stat,
    /// A signal set: `[HUP INT]`.
    Signals,
    /// A set of descriptors: `[3 5]`.
    Descriptors,
    /// What `wait4` says of a child.
    WaitStatus,
    /// `siginfo_t`, whose fields depend on the signal.
    Siginfo,
    /// Nothing but its address.
    Opaque,
}

/// A field of a structure: name, byte offset, size in bytes (1, 2, 4 or 8 for
/// numbers), and how to print it.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub size: usize,
    pub show: Show,
}

/// How the tracer prints a field.
#[derive(Debug, Clone, Copy)]
pub enum Show {
    Signed,
    Unsigned,
    Hex,
    Octal,
    Flags(&'static Flags),
    /// A file's type and permissions.
    Mode,
    /// A resource limit.
    Limit,
    /// A signal handler's address, or one of the two that are none.
    Handler,
    /// The data of an epoll event.
    EpollData,
    /// A time to set on a file.
    FileTime,
    /// A NUL-terminated string in the structure itself.
    Text,
    /// A structure in the structure.
    Nested(&'static Struct),
}

/// What a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// A number; strace prints it in decimal.
    Int,
    /// An address or mask, printed in hexadecimal.
    Hex,
    /// File permission bits.
    Octal,
    /// A new descriptor.
    Fd,
    /// The call does not return.
    Never,
}

/// An argument.
pub const fn arg(name: &'static str, kind: Kind) -> Arg {
    Arg { name, kind }
}

/// The usual names.
pub const FD: Arg = arg("fd", Kind::Fd);
pub const DIRFD: Arg = arg("dirfd", Kind::DirFd);
pub const PATH: Arg = arg("pathname", Kind::Path);
pub const MODE: Arg = arg("mode", Kind::Mode);
pub const SIGSETSIZE: Arg = arg("sigsetsize", Kind::Size);

pub const fn fd(name: &'static str) -> Arg {
    arg(name, Kind::Fd)
}

pub const fn dirfd(name: &'static str) -> Arg {
    arg(name, Kind::DirFd)
}

pub const fn path(name: &'static str) -> Arg {
    arg(name, Kind::Path)
}

pub const fn string(name: &'static str) -> Arg {
    arg(name, Kind::Str)
}

pub const fn int(name: &'static str) -> Arg {
    arg(name, Kind::Int)
}

pub const fn uint(name: &'static str) -> Arg {
    arg(name, Kind::Uint)
}

pub const fn long(name: &'static str) -> Arg {
    arg(name, Kind::Long)
}

pub const fn size(name: &'static str) -> Arg {
    arg(name, Kind::Size)
}

pub const fn hex(name: &'static str) -> Arg {
    arg(name, Kind::Hex)
}

pub const fn flags(name: &'static str, flags: &'static Flags) -> Arg {
    arg(name, Kind::Flags(flags))
}

pub const fn signal(name: &'static str) -> Arg {
    arg(name, Kind::Signal)
}

pub const fn address(name: &'static str) -> Arg {
    arg(name, Kind::Address)
}

pub const fn buf_in(name: &'static str, len: u8) -> Arg {
    arg(name, Kind::BufIn(len))
}

pub const fn buf_out(name: &'static str, len: u8) -> Arg {
    arg(name, Kind::BufOut(len))
}

pub const fn buf_part(name: &'static str, len: u8) -> Arg {
    arg(name, Kind::BufPart(len))
}

pub const fn input(name: &'static str, what: &'static Struct) -> Arg {
    arg(name, Kind::In(what))
}

pub const fn out(name: &'static str, what: &'static Struct) -> Arg {
    arg(name, Kind::Out(what))
}

pub const fn inout(name: &'static str, what: &'static Struct) -> Arg {
    arg(name, Kind::InOut(what))
}

pub const fn array_in(name: &'static str, what: &'static Struct, count: u8) -> Arg {
    arg(name, Kind::ArrayIn(what, count))
}

pub const fn array_out(name: &'static str, what: &'static Struct, count: u8) -> Arg {
    arg(name, Kind::ArrayOut(what, count))
}

pub const fn array_inout(name: &'static str, what: &'static Struct, count: u8) -> Arg {
    arg(name, Kind::ArrayInOut(what, count))
}

pub const fn iov_in(name: &'static str, count: u8) -> Arg {
    arg(name, Kind::IovIn(count))
}

pub const fn iov_out(name: &'static str, count: u8) -> Arg {
    arg(name, Kind::IovOut(count))
}

pub const fn sockaddr_in(name: &'static str, len: u8) -> Arg {
    arg(name, Kind::SockaddrIn(len))
}

pub const fn sockaddr_out(name: &'static str, len: u8) -> Arg {
    arg(name, Kind::SockaddrOut(len))
}

pub const fn nested(name: &'static str) -> Arg {
    arg(name, Kind::Nested)
}
