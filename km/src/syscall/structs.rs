//! The structures of system calls: size, and the fields the tracer prints.

use std::mem::{offset_of, size_of};

use super::args::{Field, Look, Show, Struct};
use super::flags;

/// The size of the field that `_get` returns.
const fn size_of_field<T, F>(_get: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// A structure that the C library declares: sizes and offsets are its own.
macro_rules! of_libc {
    ($name:ident, $look:ident, $type:ident { $($field:ident: $show:expr),* $(,)? }) => {
        pub static $name: Struct = Struct {
            name: stringify!($type),
            size: size_of::<libc::$type>(),
            look: Look::$look,
            fields: &[$(Field {
                name: stringify!($field),
                offset: offset_of!(libc::$type, $field),
                size: size_of_field::<libc::$type, _>(|whole| &whole.$field),
                show: $show,
            }),*],
        };
    };
}

/// A structure only the kernel declares: fields with offset and size.
macro_rules! of_kernel {
    ($name:ident, $look:ident, $type:literal, $size:literal
        { $($field:literal at $offset:literal size $bytes:literal: $show:expr),* $(,)? }) => {
        pub static $name: Struct = Struct {
            name: $type,
            size: $size,
            look: Look::$look,
            fields: &[$(Field { name: $field, offset: $offset, size: $bytes, show: $show }),*],
        };
    };
}

use Show::{
    EpollData, FileTime, Flags, Handler, Hex, Limit, Mode, Nested, Octal, Signed, Text, Unsigned,
};

// Single values and pairs.

of_kernel! { BYTE, Opaque, "char", 1 {} }
of_kernel! { INT, Brackets, "int", 4 { "" at 0 size 4: Signed } }
of_kernel! { UINT, Brackets, "unsigned int", 4 { "" at 0 size 4: Unsigned } }
of_kernel! { LONG, Brackets, "long", 8 { "" at 0 size 8: Signed } }
of_kernel! { U64, Brackets, "__u64", 8 { "" at 0 size 8: Unsigned } }
of_kernel! { FD_PAIR, Brackets, "int [2]", 8 { "" at 0 size 4: Signed, "" at 4 size 4: Signed } }
of_kernel! { WAIT_STATUS, WaitStatus, "int", 4 {} }
of_kernel! { ID, Brackets, "uid_t", 4 { "" at 0 size 4: Signed } }

// Time.

of_libc! { TIMESPEC, Whole, timespec { tv_sec: Signed, tv_nsec: Signed } }
of_libc! { TIMEVAL, Whole, timeval { tv_sec: Signed, tv_usec: Signed } }
of_kernel! { TIMEZONE, Whole, "timezone", 8
{ "tz_minuteswest" at 0 size 4: Signed, "tz_dsttime" at 4 size 4: Signed } }
of_kernel! { TIMESPEC_PAIR, Brackets, "timespec [2]", 32
{ "" at 0 size 16: FileTime, "" at 16 size 16: FileTime } }
of_kernel! { TIMEVAL_PAIR, Brackets, "timeval [2]", 32
{ "" at 0 size 16: Nested(&TIMEVAL), "" at 16 size 16: Nested(&TIMEVAL) } }
of_libc! { UTIMBUF, Whole, utimbuf { actime: Signed, modtime: Signed } }
of_libc! { ITIMERVAL, Whole, itimerval { it_interval: Nested(&TIMEVAL), it_value: Nested(&TIMEVAL) } }
of_libc! { ITIMERSPEC, Whole, itimerspec { it_interval: Nested(&TIMESPEC), it_value: Nested(&TIMESPEC) } }
of_libc! { TMS, Whole, tms { tms_utime: Signed, tms_stime: Signed, tms_cutime: Signed, tms_cstime: Signed } }
of_libc! { TIMEX, Short, timex { modes: Hex, offset: Signed, freq: Signed, maxerror: Signed,
esterror: Signed, status: Hex } }
of_kernel! { SIGEVENT, Short, "sigevent", 64
{ "sigev_signo" at 8 size 4: Signed, "sigev_notify" at 12 size 4: Signed } }

// Files.

of_kernel! { STAT, Stat, "stat", 144 {} }
of_libc! { STATX, Short, statx { stx_mask: Flags(&flags::STATX),
stx_attributes: Flags(&flags::STATX_ATTR), stx_mode: Mode, stx_size: Unsigned } }
of_kernel! { FSID, Whole, "fsid_t", 8 { "val" at 0 size 8: Nested(&FSID_VALUES) } }
of_kernel! { FSID_VALUES, Brackets, "int [2]", 8 { "" at 0 size 4: Hex, "" at 4 size 4: Hex } }
of_kernel! { STATFS, Whole, "statfs", 120
{ "f_type" at 0 size 8: Flags(&flags::FILE_SYSTEM), "f_bsize" at 8 size 8: Signed,
  "f_blocks" at 16 size 8: Unsigned, "f_bfree" at 24 size 8: Unsigned,
  "f_bavail" at 32 size 8: Unsigned, "f_files" at 40 size 8: Unsigned,
  "f_ffree" at 48 size 8: Unsigned, "f_fsid" at 56 size 8: Nested(&FSID),
  "f_namelen" at 64 size 8: Signed, "f_frsize" at 72 size 8: Signed,
  "f_flags" at 80 size 8: Flags(&flags::STATFS) } }
of_kernel! { USTAT, Whole, "ustat", 32
{ "f_tfree" at 0 size 4: Signed, "f_tinode" at 8 size 8: Unsigned } }
of_libc! { FLOCK, Whole, flock { l_type: Flags(&flags::LOCK_TYPE), l_whence: Flags(&flags::SEEK),
l_start: Signed, l_len: Signed } }
of_libc! { OPEN_HOW, Whole, open_how { flags: Flags(&flags::OPEN), mode: Octal,
resolve: Flags(&flags::RESOLVE) } }
of_kernel! { FILE_HANDLE, Short, "file_handle", 8
{ "handle_bytes" at 0 size 4: Unsigned, "handle_type" at 4 size 4: Signed } }
of_kernel! { MNT_ID_REQ, Short, "mnt_id_req", 32
{ "mnt_id" at 8 size 8: Hex, "param" at 16 size 8: Hex } }
of_kernel! { NS_ID_REQ, Short, "ns_id_req", 32
{ "ns_id" at 8 size 8: Hex, "ns_type" at 16 size 4: Hex } }
of_kernel! { XATTR_ARGS, Whole, "xattr_args", 16
{ "value" at 0 size 8: Hex, "size" at 8 size 4: Unsigned, "flags" at 12 size 4: Flags(&flags::XATTR) } }
of_kernel! { CACHESTAT_RANGE, Whole, "cachestat_range", 16
{ "off" at 0 size 8: Unsigned, "len" at 8 size 8: Unsigned } }
of_kernel! { CACHESTAT, Whole, "cachestat", 40
{ "nr_cache" at 0 size 8: Unsigned, "nr_dirty" at 8 size 8: Unsigned,
  "nr_writeback" at 16 size 8: Unsigned, "nr_evicted" at 24 size 8: Unsigned,
  "nr_recently_evicted" at 32 size 8: Unsigned } }

// Waiting.

of_libc! { POLLFD, Whole, pollfd { fd: Signed, events: Flags(&flags::POLL), revents: Flags(&flags::POLL) } }
of_kernel! { FD_SET, Descriptors, "fd_set", 128 {} }
of_kernel! { EPOLL_EVENT, Whole, "epoll_event", 12
{ "events" at 0 size 4: Flags(&flags::EPOLL), "data" at 4 size 8: EpollData } }
of_kernel! { FUTEX_WAITV, Whole, "futex_waitv", 24
{ "val" at 0 size 8: Hex, "uaddr" at 8 size 8: Hex, "flags" at 16 size 4: Flags(&flags::FUTEX2) } }

// Processes and signals.

of_kernel! { SIGSET, Signals, "sigset_t", 8 {} }
of_kernel! { SIGINFO, Siginfo, "siginfo_t", 128
{ "si_signo" at 0 size 4: Signed, "si_code" at 8 size 4: Signed } }
of_kernel! { SIGACTION, Whole, "sigaction", 32
{ "sa_handler" at 0 size 8: Handler, "sa_mask" at 24 size 8: Nested(&SIGSET),
  "sa_flags" at 8 size 8: Flags(&flags::SA), "sa_restorer" at 16 size 8: Hex } }
of_libc! { STACK, Whole, stack_t { ss_sp: Hex, ss_flags: Flags(&flags::SS), ss_size: Unsigned } }
of_libc! { RUSAGE, Short, rusage { ru_utime: Nested(&TIMEVAL), ru_stime: Nested(&TIMEVAL) } }
of_libc! { RLIMIT, Whole, rlimit { rlim_cur: Limit, rlim_max: Limit } }
of_libc! { SCHED_PARAM, Brackets, sched_param { sched_priority: Signed } }
of_kernel! { SCHED_ATTR, Short, "sched_attr", 48
{ "size" at 0 size 4: Unsigned, "sched_policy" at 4 size 4: Flags(&flags::SCHED),
  "sched_flags" at 8 size 8: Hex, "sched_nice" at 16 size 4: Signed,
  "sched_priority" at 20 size 4: Unsigned } }
of_kernel! { CAP_HEADER, Whole, "cap_user_header", 8
{ "version" at 0 size 4: Hex, "pid" at 4 size 4: Signed } }
of_kernel! { CAP_DATA, Short, "cap_user_data", 24
{ "effective" at 0 size 4: Hex, "permitted" at 4 size 4: Hex, "inheritable" at 8 size 4: Hex } }
of_kernel! { CLONE_ARGS, Short, "clone_args", 64
{ "flags" at 0 size 8: Flags(&flags::CLONE), "exit_signal" at 32 size 8: Signed,
  "stack" at 40 size 8: Hex, "stack_size" at 48 size 8: Hex } }

// The system.

of_kernel! { UTSNAME, Short, "utsname", 390
{ "sysname" at 0 size 65: Text, "nodename" at 65 size 65: Text } }
of_libc! { SYSINFO, Whole, sysinfo { uptime: Signed, loads: Nested(&LOADS), totalram: Unsigned,
freeram: Unsigned, sharedram: Unsigned, bufferram: Unsigned, totalswap: Unsigned,
freeswap: Unsigned, procs: Unsigned, totalhigh: Unsigned, freehigh: Unsigned,
mem_unit: Unsigned } }
of_kernel! { LOADS, Brackets, "unsigned long [3]", 24
{ "" at 0 size 8: Unsigned, "" at 8 size 8: Unsigned, "" at 16 size 8: Unsigned } }

// System V IPC and message queues.

of_libc! { SEMBUF, Whole, sembuf { sem_num: Unsigned, sem_op: Signed, sem_flg: Flags(&flags::IPC) } }
of_kernel! { MSGBUF, Short, "msgbuf", 8 { "mtype" at 0 size 8: Signed } }
of_libc! { MSQID_DS, Opaque, msqid_ds {} }
of_libc! { SHMID_DS, Opaque, shmid_ds {} }
of_kernel! { MQ_ATTR, Whole, "mq_attr", 64
{ "mq_flags" at 0 size 8: Flags(&flags::OPEN), "mq_maxmsg" at 8 size 8: Signed,
  "mq_msgsize" at 16 size 8: Signed, "mq_curmsgs" at 24 size 8: Signed } }

// Terminals.

of_libc! { WINSIZE, Whole, winsize { ws_row: Unsigned, ws_col: Unsigned, ws_xpixel: Unsigned,
ws_ypixel: Unsigned } }
of_kernel! { TERMIOS, Short, "termios", 36
{ "c_iflag" at 0 size 4: Hex, "c_oflag" at 4 size 4: Hex, "c_cflag" at 8 size 4: Hex,
  "c_lflag" at 12 size 4: Hex } }

/// Offsets in `struct stat` of what the tracer prints by the type of file.
pub mod stat {
    use std::mem::offset_of;

    pub const MODE: usize = offset_of!(libc::stat, st_mode);
    pub const RDEV: usize = offset_of!(libc::stat, st_rdev);
    pub const SIZE: usize = offset_of!(libc::stat, st_size);
}
