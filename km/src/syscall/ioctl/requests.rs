//! The requests km knows.

use crate::syscall::args::Struct;
use crate::syscall::structs::{INT, LONG, TERMIOS, TIMESPEC, TIMEVAL, U64, UINT, WINSIZE};

/// One request.
#[derive(Debug)]
pub struct Request {
    pub number: u32,
    pub name: &'static str,
    pub argument: Argument,
}

/// What the third argument is.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// Not looked at.
    Unused,
    /// A number.
    Number,
    /// A descriptor.
    Descriptor,
    /// A number; the result is a new descriptor.
    NewDescriptor,
    /// A pointer to a structure the tracer prints.
    Pointer(&'static Struct),
    /// A pointer to this many bytes without pointers.
    Bytes(u64),
    /// A pointer to this many bytes, which begin with a descriptor.
    NamesDescriptor(u64),
    /// `struct ifconf`.
    InterfaceList,
    /// `struct file_dedupe_range`.
    DuplicateRanges,
}

use Argument::{
    Bytes, Descriptor, DuplicateRanges, InterfaceList, NamesDescriptor, NewDescriptor, Number,
    Pointer, Unused,
};

/// The request of that number.
pub fn request(number: u32) -> Option<&'static Request> {
    let index = REQUESTS
        .binary_search_by_key(&number, |request| request.number)
        .ok();
    index
        .and_then(|index| REQUESTS.get(index))
        .or_else(|| event_device(number))
        .or_else(|| process_info(number))
}

/// `PIDFD_GET_INFO` of `linux/pidfd.h`, whose structure grows: the number has
/// its length.
fn process_info(number: u32) -> Option<&'static Request> {
    static INFO: Request = Request {
        number: 0,
        name: "PIDFD_GET_INFO",
        argument: Bytes(1 << 14),
    };
    const BUT_LENGTH: u32 = 0xc000_ffff;
    const GET_INFO: u32 = 3 << 30 | 0xff << 8 | 11;
    (number & BUT_LENGTH == GET_INFO).then_some(&INFO)
}

/// `EVIOCG…` of `linux/input.h`, which carry their length in the number: the
/// driver writes at most that much, and reads no pointer.
fn event_device(number: u32) -> Option<&'static Request> {
    static READ: Request = Request {
        number: 0,
        name: "EVIOCG???",
        argument: Bytes(1 << 14),
    };
    const DIRECTION_AND_TYPE: u32 = 0xc000_ff00;
    const READ_EVENT_DEVICE: u32 = 2 << 30 | (b'E' as u32) << 8;
    (number & DIRECTION_AND_TYPE == READ_EVENT_DEVICE).then_some(&READ)
}

const fn r(number: u32, name: &'static str, argument: Argument) -> Request {
    Request {
        number,
        name,
        argument,
    }
}

/// `struct ifreq`.
const IFREQ: Argument = Bytes(40);

/// By number.
#[rustfmt::skip]
static REQUESTS: &[Request] = &[
    // Files.
    r(0x0000_0001, "FIBMAP", Pointer(&INT)),
    r(0x0000_0002, "FIGETBSZ", Pointer(&INT)),
    r(0x0000_0301, "HDIO_GETGEO", Bytes(16)),
    r(0x0000_07b9, "IOCTL_VM_SOCKETS_GET_LOCAL_CID", Pointer(&INT)),
    // Block devices.
    r(0x0000_125d, "BLKROSET", Pointer(&INT)),
    r(0x0000_125e, "BLKROGET", Pointer(&INT)),
    r(0x0000_125f, "BLKRRPART", Unused),
    r(0x0000_1260, "BLKGETSIZE", Pointer(&LONG)),
    r(0x0000_1261, "BLKFLSBUF", Unused),
    r(0x0000_1262, "BLKRASET", Number),
    r(0x0000_1263, "BLKRAGET", Pointer(&LONG)),
    r(0x0000_1264, "BLKFRASET", Number),
    r(0x0000_1265, "BLKFRAGET", Pointer(&LONG)),
    r(0x0000_1267, "BLKSECTGET", Bytes(2)),
    r(0x0000_1268, "BLKSSZGET", Pointer(&INT)),
    r(0x0000_1277, "BLKDISCARD", Bytes(16)),
    r(0x0000_1278, "BLKIOMIN", Pointer(&INT)),
    r(0x0000_1279, "BLKIOOPT", Pointer(&INT)),
    r(0x0000_127a, "BLKALIGNOFF", Pointer(&INT)),
    r(0x0000_127b, "BLKPBSZGET", Pointer(&INT)),
    r(0x0000_127c, "BLKDISCARDZEROES", Pointer(&INT)),
    r(0x0000_127d, "BLKSECDISCARD", Bytes(16)),
    r(0x0000_127e, "BLKROTATIONAL", Bytes(2)),
    r(0x0000_127f, "BLKZEROOUT", Bytes(16)),
    // Consoles and terminals.
    r(0x0000_4600, "FBIOGET_VSCREENINFO", Bytes(160)),
    r(0x0000_4602, "FBIOGET_FSCREENINFO", Bytes(80)),
    r(0x0000_4b2f, "KIOCSOUND", Number),
    r(0x0000_4b30, "KDMKTONE", Number),
    r(0x0000_4b31, "KDGETLED", Bytes(1)),
    r(0x0000_4b32, "KDSETLED", Number),
    r(0x0000_4b33, "KDGKBTYPE", Bytes(1)),
    r(0x0000_4b3a, "KDSETMODE", Number),
    r(0x0000_4b3b, "KDGETMODE", Pointer(&INT)),
    r(0x0000_4b44, "KDGKBMODE", Pointer(&INT)),
    r(0x0000_4b45, "KDSKBMODE", Number),
    r(0x0000_4b46, "KDGKBENT", Bytes(4)),
    r(0x0000_4b47, "KDSKBENT", Bytes(4)),
    r(0x0000_4b48, "KDGKBSENT", Bytes(513)),
    r(0x0000_4b49, "KDSKBSENT", Bytes(513)),
    r(0x0000_4b4c, "KDGETKEYCODE", Bytes(8)),
    r(0x0000_4b4d, "KDSETKEYCODE", Bytes(8)),
    r(0x0000_4b4e, "KDSIGACCEPT", Number),
    r(0x0000_4b52, "KDKBDREP", Bytes(8)),
    r(0x0000_4b62, "KDGKBMETA", Pointer(&INT)),
    r(0x0000_4b63, "KDSKBMETA", Number),
    r(0x0000_4b64, "KDGKBLED", Bytes(1)),
    r(0x0000_4b65, "KDSKBLED", Number),
    r(0x0000_4b70, "GIO_CMAP", Bytes(48)),
    r(0x0000_4b71, "PIO_CMAP", Bytes(48)),
    // Loop devices.
    r(0x0000_4c00, "LOOP_SET_FD", Descriptor),
    r(0x0000_4c01, "LOOP_CLR_FD", Unused),
    r(0x0000_4c02, "LOOP_SET_STATUS", Bytes(168)),
    r(0x0000_4c03, "LOOP_GET_STATUS", Bytes(168)),
    r(0x0000_4c04, "LOOP_SET_STATUS64", Bytes(232)),
    r(0x0000_4c05, "LOOP_GET_STATUS64", Bytes(232)),
    r(0x0000_4c06, "LOOP_CHANGE_FD", Descriptor),
    r(0x0000_4c07, "LOOP_SET_CAPACITY", Unused),
    r(0x0000_4c08, "LOOP_SET_DIRECT_IO", Number),
    r(0x0000_4c09, "LOOP_SET_BLOCK_SIZE", Number),
    r(0x0000_4c0a, "LOOP_CONFIGURE", NamesDescriptor(304)),
    r(0x0000_4c80, "LOOP_CTL_ADD", Number),
    r(0x0000_4c81, "LOOP_CTL_REMOVE", Number),
    r(0x0000_4c82, "LOOP_CTL_GET_FREE", Unused),
    // Random numbers.
    r(0x0000_5204, "RNDZAPENTCNT", Unused),
    r(0x0000_5206, "RNDCLEARPOOL", Unused),
    r(0x0000_5207, "RNDRESEEDCRNG", Unused),
    // CD drives.
    r(0x0000_5309, "CDROMEJECT", Unused),
    r(0x0000_5310, "CDROMMULTISESSION", Bytes(8)),
    r(0x0000_5319, "CDROMCLOSETRAY", Unused),
    r(0x0000_5320, "CDROM_SET_OPTIONS", Number),
    r(0x0000_5321, "CDROM_CLEAR_OPTIONS", Number),
    r(0x0000_5325, "CDROM_MEDIA_CHANGED", Number),
    r(0x0000_5326, "CDROM_DRIVE_STATUS", Number),
    r(0x0000_5327, "CDROM_DISC_STATUS", Unused),
    r(0x0000_5329, "CDROM_LOCKDOOR", Number),
    r(0x0000_5331, "CDROM_GET_CAPABILITY", Unused),
    r(0x0000_5395, "CDROM_LAST_WRITTEN", Pointer(&LONG)),
    // Terminals.
    r(0x0000_5401, "TCGETS", Pointer(&TERMIOS)),
    r(0x0000_5402, "TCSETS", Pointer(&TERMIOS)),
    r(0x0000_5403, "TCSETSW", Pointer(&TERMIOS)),
    r(0x0000_5404, "TCSETSF", Pointer(&TERMIOS)),
    r(0x0000_5405, "TCGETA", Bytes(18)),
    r(0x0000_5406, "TCSETA", Bytes(18)),
    r(0x0000_5407, "TCSETAW", Bytes(18)),
    r(0x0000_5408, "TCSETAF", Bytes(18)),
    r(0x0000_5409, "TCSBRK", Number),
    r(0x0000_540a, "TCXONC", Number),
    r(0x0000_540b, "TCFLSH", Number),
    r(0x0000_540c, "TIOCEXCL", Unused),
    r(0x0000_540d, "TIOCNXCL", Unused),
    r(0x0000_540e, "TIOCSCTTY", Number),
    r(0x0000_540f, "TIOCGPGRP", Pointer(&INT)),
    r(0x0000_5410, "TIOCSPGRP", Pointer(&INT)),
    r(0x0000_5411, "TIOCOUTQ", Pointer(&INT)),
    r(0x0000_5412, "TIOCSTI", Bytes(1)),
    r(0x0000_5413, "TIOCGWINSZ", Pointer(&WINSIZE)),
    r(0x0000_5414, "TIOCSWINSZ", Pointer(&WINSIZE)),
    r(0x0000_5415, "TIOCMGET", Pointer(&INT)),
    r(0x0000_5416, "TIOCMBIS", Pointer(&INT)),
    r(0x0000_5417, "TIOCMBIC", Pointer(&INT)),
    r(0x0000_5418, "TIOCMSET", Pointer(&INT)),
    r(0x0000_5419, "TIOCGSOFTCAR", Pointer(&INT)),
    r(0x0000_541a, "TIOCSSOFTCAR", Pointer(&INT)),
    r(0x0000_541b, "FIONREAD", Pointer(&INT)),
    r(0x0000_541d, "TIOCCONS", Unused),
    r(0x0000_541e, "TIOCGSERIAL", Bytes(72)),
    r(0x0000_541f, "TIOCSSERIAL", Bytes(72)),
    r(0x0000_5420, "TIOCPKT", Pointer(&INT)),
    r(0x0000_5421, "FIONBIO", Pointer(&INT)),
    r(0x0000_5422, "TIOCNOTTY", Unused),
    r(0x0000_5423, "TIOCSETD", Pointer(&INT)),
    r(0x0000_5424, "TIOCGETD", Pointer(&INT)),
    r(0x0000_5425, "TCSBRKP", Number),
    r(0x0000_5427, "TIOCSBRK", Unused),
    r(0x0000_5428, "TIOCCBRK", Unused),
    r(0x0000_5429, "TIOCGSID", Pointer(&INT)),
    r(0x0000_542e, "TIOCGRS485", Bytes(32)),
    r(0x0000_542f, "TIOCSRS485", Bytes(32)),
    r(0x0000_5437, "TIOCVHANGUP", Unused),
    r(0x0000_5441, "TIOCGPTPEER", NewDescriptor),
    r(0x0000_5450, "FIONCLEX", Unused),
    r(0x0000_5451, "FIOCLEX", Unused),
    r(0x0000_5452, "FIOASYNC", Pointer(&INT)),
    r(0x0000_5456, "TIOCGLCKTRMIOS", Pointer(&TERMIOS)),
    r(0x0000_5457, "TIOCSLCKTRMIOS", Pointer(&TERMIOS)),
    r(0x0000_5459, "TIOCSERGETLSR", Pointer(&INT)),
    r(0x0000_545c, "TIOCMIWAIT", Number),
    r(0x0000_545d, "TIOCGICOUNT", Bytes(80)),
    r(0x0000_5460, "FIOQSIZE", Pointer(&LONG)),
    r(0x0000_54e3, "TUNGETDEVNETNS", NewDescriptor),
    r(0x0000_5600, "VT_OPENQRY", Pointer(&INT)),
    r(0x0000_5601, "VT_GETMODE", Bytes(8)),
    r(0x0000_5602, "VT_SETMODE", Bytes(8)),
    r(0x0000_5603, "VT_GETSTATE", Bytes(6)),
    r(0x0000_5605, "VT_RELDISP", Number),
    r(0x0000_5606, "VT_ACTIVATE", Number),
    r(0x0000_5607, "VT_WAITACTIVE", Number),
    r(0x0000_5608, "VT_DISALLOCATE", Number),
    r(0x0000_5609, "VT_RESIZE", Bytes(6)),
    r(0x0000_560b, "VT_LOCKSWITCH", Unused),
    r(0x0000_560c, "VT_UNLOCKSWITCH", Unused),
    // Clocks of the machine.
    r(0x0000_7001, "RTC_AIE_ON", Unused),
    r(0x0000_7002, "RTC_AIE_OFF", Unused),
    r(0x0000_7003, "RTC_UIE_ON", Unused),
    r(0x0000_7004, "RTC_UIE_OFF", Unused),
    r(0x0000_7005, "RTC_PIE_ON", Unused),
    r(0x0000_7006, "RTC_PIE_OFF", Unused),
    r(0x0000_7014, "RTC_VL_CLR", Unused),
    // Sockets and network interfaces.
    r(0x0000_8901, "FIOSETOWN", Pointer(&INT)),
    r(0x0000_8902, "SIOCSPGRP", Pointer(&INT)),
    r(0x0000_8903, "FIOGETOWN", Pointer(&INT)),
    r(0x0000_8904, "SIOCGPGRP", Pointer(&INT)),
    r(0x0000_8905, "SIOCATMARK", Pointer(&INT)),
    r(0x0000_8906, "SIOCGSTAMP", Pointer(&TIMEVAL)),
    r(0x0000_8907, "SIOCGSTAMPNS", Pointer(&TIMESPEC)),
    r(0x0000_8910, "SIOCGIFNAME", IFREQ),
    r(0x0000_8911, "SIOCSIFLINK", IFREQ),
    r(0x0000_8912, "SIOCGIFCONF", InterfaceList),
    r(0x0000_8913, "SIOCGIFFLAGS", IFREQ),
    r(0x0000_8914, "SIOCSIFFLAGS", IFREQ),
    r(0x0000_8915, "SIOCGIFADDR", IFREQ),
    r(0x0000_8916, "SIOCSIFADDR", IFREQ),
    r(0x0000_8917, "SIOCGIFDSTADDR", IFREQ),
    r(0x0000_8918, "SIOCSIFDSTADDR", IFREQ),
    r(0x0000_8919, "SIOCGIFBRDADDR", IFREQ),
    r(0x0000_891a, "SIOCSIFBRDADDR", IFREQ),
    r(0x0000_891b, "SIOCGIFNETMASK", IFREQ),
    r(0x0000_891c, "SIOCSIFNETMASK", IFREQ),
    r(0x0000_891d, "SIOCGIFMETRIC", IFREQ),
    r(0x0000_891e, "SIOCSIFMETRIC", IFREQ),
    r(0x0000_891f, "SIOCGIFMEM", IFREQ),
    r(0x0000_8920, "SIOCSIFMEM", IFREQ),
    r(0x0000_8921, "SIOCGIFMTU", IFREQ),
    r(0x0000_8922, "SIOCSIFMTU", IFREQ),
    r(0x0000_8923, "SIOCSIFNAME", IFREQ),
    r(0x0000_8924, "SIOCSIFHWADDR", IFREQ),
    r(0x0000_8925, "SIOCGIFENCAP", IFREQ),
    r(0x0000_8926, "SIOCSIFENCAP", IFREQ),
    r(0x0000_8927, "SIOCGIFHWADDR", IFREQ),
    r(0x0000_8929, "SIOCGIFSLAVE", IFREQ),
    r(0x0000_8930, "SIOCSIFSLAVE", IFREQ),
    r(0x0000_8931, "SIOCADDMULTI", IFREQ),
    r(0x0000_8932, "SIOCDELMULTI", IFREQ),
    r(0x0000_8933, "SIOCGIFINDEX", IFREQ),
    r(0x0000_8934, "SIOCSIFPFLAGS", IFREQ),
    r(0x0000_8935, "SIOCGIFPFLAGS", IFREQ),
    r(0x0000_8936, "SIOCDIFADDR", IFREQ),
    r(0x0000_8937, "SIOCSIFHWBROADCAST", IFREQ),
    r(0x0000_8938, "SIOCGIFCOUNT", Pointer(&INT)),
    r(0x0000_8942, "SIOCGIFTXQLEN", IFREQ),
    r(0x0000_8943, "SIOCSIFTXQLEN", IFREQ),
    r(0x0000_8947, "SIOCGMIIPHY", IFREQ),
    r(0x0000_8948, "SIOCGMIIREG", IFREQ),
    r(0x0000_8949, "SIOCSMIIREG", IFREQ),
    r(0x0000_894b, "SIOCOUTQNSD", Pointer(&INT)),
    r(0x0000_894c, "SIOCGSKNS", NewDescriptor),
    r(0x0000_8953, "SIOCDARP", Bytes(68)),
    r(0x0000_8954, "SIOCGARP", Bytes(68)),
    r(0x0000_8955, "SIOCSARP", Bytes(68)),
    r(0x0000_8970, "SIOCGIFMAP", IFREQ),
    r(0x0000_8971, "SIOCSIFMAP", IFREQ),
    r(0x0000_8982, "SIOCGIFVLAN", Bytes(56)),
    r(0x0000_8983, "SIOCSIFVLAN", Bytes(56)),
    r(0x0000_8990, "SIOCBONDENSLAVE", IFREQ),
    r(0x0000_8991, "SIOCBONDRELEASE", IFREQ),
    r(0x0000_8992, "SIOCBONDSETHWADDR", IFREQ),
    r(0x0000_8995, "SIOCBONDCHANGEACTIVE", IFREQ),
    r(0x0000_89a0, "SIOCBRADDBR", Bytes(16)),
    r(0x0000_89a1, "SIOCBRDELBR", Bytes(16)),
    r(0x0000_89a2, "SIOCBRADDIF", IFREQ),
    r(0x0000_89a3, "SIOCBRDELIF", IFREQ),
    r(0x0000_8b01, "SIOCGIWNAME", IFREQ),
    // Namespaces.
    r(0x0000_b701, "NS_GET_USERNS", NewDescriptor),
    r(0x0000_b702, "NS_GET_PARENT", NewDescriptor),
    r(0x0000_b703, "NS_GET_NSTYPE", Unused),
    r(0x0000_b704, "NS_GET_OWNER_UID", Pointer(&UINT)),
    // Processes by descriptor.
    r(0x0000_ff01, "PIDFD_GET_CGROUP_NAMESPACE", NewDescriptor),
    r(0x0000_ff02, "PIDFD_GET_IPC_NAMESPACE", NewDescriptor),
    r(0x0000_ff03, "PIDFD_GET_MNT_NAMESPACE", NewDescriptor),
    r(0x0000_ff04, "PIDFD_GET_NET_NAMESPACE", NewDescriptor),
    r(0x0000_ff05, "PIDFD_GET_PID_NAMESPACE", NewDescriptor),
    r(0x0000_ff06, "PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE", NewDescriptor),
    r(0x0000_ff07, "PIDFD_GET_TIME_NAMESPACE", NewDescriptor),
    r(0x0000_ff08, "PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE", NewDescriptor),
    r(0x0000_ff09, "PIDFD_GET_USER_NAMESPACE", NewDescriptor),
    r(0x0000_ff0a, "PIDFD_GET_UTS_NAMESPACE", NewDescriptor),
    r(0x4004_4900, "INOTIFY_IOC_SETNEXTWD", Number),
    r(0x4004_5201, "RNDADDTOENTCNT", Pointer(&INT)),
    // Numbers that carry direction and size.
    r(0x4004_5431, "TIOCSPTLCK", Pointer(&INT)),
    r(0x4004_5436, "TIOCSIG", Number),
    r(0x4004_54c8, "TUNSETNOCSUM", Number),
    r(0x4004_54c9, "TUNSETDEBUG", Number),
    r(0x4004_54ca, "TUNSETIFF", IFREQ),
    r(0x4004_54cb, "TUNSETPERSIST", Number),
    r(0x4004_54cc, "TUNSETOWNER", Number),
    r(0x4004_54cd, "TUNSETLINK", Number),
    r(0x4004_54ce, "TUNSETGROUP", Number),
    r(0x4004_54d0, "TUNSETOFFLOAD", Number),
    r(0x4004_54d1, "TUNSETTXFILTER", Bytes(4)),
    r(0x4004_54d4, "TUNSETSNDBUF", Pointer(&INT)),
    r(0x4004_54d8, "TUNSETVNETHDRSZ", Pointer(&INT)),
    r(0x4004_54d9, "TUNSETQUEUE", IFREQ),
    r(0x4004_54da, "TUNSETIFINDEX", Pointer(&UINT)),
    r(0x4004_54dc, "TUNSETVNETLE", Pointer(&INT)),
    r(0x4004_54de, "TUNSETVNETBE", Pointer(&INT)),
    r(0x4004_54e2, "TUNSETCARRIER", Pointer(&INT)),
    r(0x4004_7211, "FAT_IOCTL_SET_ATTRIBUTES", Pointer(&UINT)),
    r(0x4004_9409, "FICLONE", Descriptor),
    r(0x4004_e502, "FUSE_DEV_IOC_BACKING_CLOSE", Pointer(&UINT)),
    r(0x4008_1271, "BLKBSZSET", Pointer(&LONG)),
    r(0x4008_5203, "RNDADDENTROPY", Bytes(8)),
    r(0x4008_5400, "TFD_IOC_SET_TICKS", Pointer(&U64)),
    r(0x4008_6602, "FS_IOC_SETFLAGS", Pointer(&INT)),
    r(0x4008_700c, "RTC_IRQP_SET", Number),
    r(0x4008_7602, "FS_IOC_SETVERSION", Pointer(&INT)),
    r(0x4008_8a01, "EPIOCSPARAMS", Bytes(8)),
    r(0x400c_6615, "FS_IOC_GET_ENCRYPTION_POLICY", Bytes(12)),
    r(0x4010_1283, "BLKRESETZONE", Bytes(16)),
    r(0x4010_1286, "BLKOPENZONE", Bytes(16)),
    r(0x4010_1287, "BLKCLOSEZONE", Bytes(16)),
    r(0x4010_1288, "BLKFINISHZONE", Bytes(16)),
    r(0x4010_6614, "FS_IOC_GET_ENCRYPTION_PWSALT", Bytes(16)),
    r(0x4010_e501, "FUSE_DEV_IOC_BACKING_OPEN", NamesDescriptor(16)),
    r(0x401c_5820, "FS_IOC_FSSETXATTR", Bytes(28)),
    r(0x4020_940d, "FICLONERANGE", NamesDescriptor(32)),
    r(0x4024_7007, "RTC_ALM_SET", Bytes(36)),
    r(0x4024_700a, "RTC_SET_TIME", Bytes(36)),
    r(0x4028_700f, "RTC_WKALM_SET", Bytes(40)),
    r(0x402c_542b, "TCSETS2", Bytes(44)),
    r(0x402c_542c, "TCSETSW2", Bytes(44)),
    r(0x402c_542d, "TCSETSF2", Bytes(44)),
    r(0x4030_5828, "FS_IOC_RESVSP", Bytes(48)),
    r(0x4030_5829, "FS_IOC_UNRESVSP", Bytes(48)),
    r(0x4030_582a, "FS_IOC_RESVSP64", Bytes(48)),
    r(0x4030_582b, "FS_IOC_UNRESVSP64", Bytes(48)),
    r(0x4030_5839, "FS_IOC_ZERO_RANGE", Bytes(48)),
    r(0x4100_9432, "FS_IOC_SETFSLABEL", Bytes(256)),
    r(0x8004_1284, "BLKGETZONESZ", Pointer(&UINT)),
    r(0x8004_1285, "BLKGETNRZONES", Pointer(&UINT)),
    r(0x8004_5200, "RNDGETENTCNT", Pointer(&INT)),
    r(0x8004_5430, "TIOCGPTN", Pointer(&INT)),
    r(0x8004_5432, "TIOCGDEV", Pointer(&INT)),
    r(0x8004_5438, "TIOCGPKT", Pointer(&INT)),
    r(0x8004_5439, "TIOCGPTLCK", Pointer(&INT)),
    r(0x8004_5440, "TIOCGEXCL", Pointer(&INT)),
    r(0x8004_54cf, "TUNGETFEATURES", Pointer(&INT)),
    r(0x8004_54d2, "TUNGETIFF", IFREQ),
    r(0x8004_54d3, "TUNGETSNDBUF", Pointer(&INT)),
    r(0x8004_54d7, "TUNGETVNETHDRSZ", Pointer(&INT)),
    r(0x8004_54dd, "TUNGETVNETLE", Pointer(&INT)),
    r(0x8004_54df, "TUNGETVNETBE", Pointer(&INT)),
    r(0x8004_7013, "RTC_VL_READ", Pointer(&UINT)),
    r(0x8004_7210, "FAT_IOCTL_GET_ATTRIBUTES", Pointer(&UINT)),
    r(0x8004_7213, "FAT_IOCTL_GET_VOLUME_ID", Pointer(&UINT)),
    r(0x8004_b706, "NS_GET_PID_FROM_PIDNS", Number),
    r(0x8004_b707, "NS_GET_TGID_FROM_PIDNS", Number),
    r(0x8004_b708, "NS_GET_PID_IN_PIDNS", Number),
    r(0x8004_b709, "NS_GET_TGID_IN_PIDNS", Number),
    r(0x8004_e500, "FUSE_DEV_IOC_CLONE", NamesDescriptor(4)),
    r(0x8008_1270, "BLKBSZGET", Pointer(&LONG)),
    r(0x8008_1272, "BLKGETSIZE64", Pointer(&U64)),
    r(0x8008_1280, "BLKGETDISKSEQ", Pointer(&U64)),
    r(0x8008_6601, "FS_IOC_GETFLAGS", Pointer(&INT)),
    r(0x8008_700b, "RTC_IRQP_READ", Pointer(&LONG)),
    r(0x8008_700d, "RTC_EPOCH_READ", Pointer(&LONG)),
    r(0x8008_7601, "FS_IOC_GETVERSION", Pointer(&INT)),
    r(0x8008_8a02, "EPIOCGPARAMS", Bytes(8)),
    r(0x8008_b705, "NS_GET_MNTNS_ID", Pointer(&U64)),
    r(0x8008_b70d, "NS_GET_ID", Pointer(&U64)),
    r(0x800c_6613, "FS_IOC_SET_ENCRYPTION_POLICY", Bytes(24)),
    r(0x8010_661b, "FS_IOC_GET_ENCRYPTION_NONCE", Bytes(16)),
    r(0x8010_8906, "SIOCGSTAMP_NEW", Pointer(&TIMEVAL)),
    r(0x8010_8907, "SIOCGSTAMPNS_NEW", Pointer(&TIMESPEC)),
    r(0x8010_b70a, "NS_MNT_GET_INFO", Bytes(16)),
    r(0x8011_1500, "FS_IOC_GETFSUUID", Bytes(17)),
    r(0x801c_581f, "FS_IOC_FSGETXATTR", Bytes(28)),
    r(0x8024_7008, "RTC_ALM_READ", Bytes(36)),
    r(0x8024_7009, "RTC_RD_TIME", Bytes(36)),
    r(0x8028_7010, "RTC_WKALM_RD", Bytes(40)),
    r(0x802c_542a, "TCGETS2", Bytes(44)),
    r(0x8081_1501, "FS_IOC_GETFSSYSFSPATH", Bytes(129)),
    r(0x8100_9431, "FS_IOC_GETFSLABEL", Bytes(256)),
    r(0xc004_5877, "FIFREEZE", Unused),
    r(0xc004_5878, "FITHAW", Unused),
    r(0xc004_6686, "FS_IOC_MEASURE_VERITY", Bytes(4)),
    r(0xc009_6616, "FS_IOC_GET_ENCRYPTION_POLICY_EX", Bytes(9)),
    r(0xc010_1282, "BLKREPORTZONE", Bytes(16)),
    r(0xc018_5879, "FITRIM", Bytes(24)),
    r(0xc018_9436, "FIDEDUPERANGE", DuplicateRanges),
    r(0xc020_660b, "FS_IOC_FIEMAP", Bytes(32)),
    r(0xc080_661a, "FS_IOC_GET_ENCRYPTION_KEY_STATUS", Bytes(128)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_sorted_once_each() {
        for pair in REQUESTS.windows(2) {
            assert!(
                pair[0].number < pair[1].number,
                "{} {}",
                pair[0].name,
                pair[1].name
            );
        }
    }

    #[test]
    fn requests_have_the_c_librarys_numbers() {
        for (number, name) in [
            (libc::TCGETS, "TCGETS"),
            (libc::TIOCGWINSZ, "TIOCGWINSZ"),
            (libc::FIONREAD, "FIONREAD"),
            (libc::FICLONE, "FICLONE"),
            (libc::FICLONERANGE, "FICLONERANGE"),
            (libc::FS_IOC_GETFLAGS, "FS_IOC_GETFLAGS"),
            (libc::SIOCGIFHWADDR, "SIOCGIFHWADDR"),
            (libc::TUNSETIFF, "TUNSETIFF"),
            (libc::TCGETS2, "TCGETS2"),
            (libc::BLKSSZGET, "BLKSSZGET"),
            (libc::TIOCGPTN, "TIOCGPTN"),
        ] {
            assert_eq!(
                request(number as u32).map(|request| request.name),
                Some(name)
            );
        }
    }

    #[test]
    fn requests_with_nested_pointers_are_unknown() {
        const SG_IO: u32 = 0x2285;
        const SIOCETHTOOL: u32 = 0x8946;
        const KVM_CREATE_VM: u32 = 0xae01;
        const EVIOCGRAB: u32 = 0x4004_4590;
        for number in [SG_IO, SIOCETHTOOL, KVM_CREATE_VM, EVIOCGRAB, 0] {
            assert!(request(number).is_none(), "{number:#x}");
        }
        assert!(request(0x8100_4506).is_some(), "EVIOCGNAME(256)");
    }
}
