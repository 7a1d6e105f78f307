//! A container's bundle: what the host has for it, and its `config.json`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use serde_json::Value;

use crate::command_line::{Bundle, CommandLine};
use crate::delegate::is_program;
use crate::edit::{self, Additions, Device, KM, Mount};
use crate::error::{Error, Result};
use crate::file;
use crate::options::Options;

const KVM: &str = "/dev/kvm";
const NSM: &str = "/dev/nsm";
/// The C library and others that payloads made for km name, beside km's folder,
/// and where they name them.
const LIBRARIES: [(&str, &str); 2] = [
    ("runtime", "/opt/kontain/runtime"),
    ("lib", "/opt/kontain/lib"),
];

impl Bundle {
    /// Has the container run under km, unless its annotations say otherwise.
    ///
    /// # Errors
    ///
    /// What is missing, or wrong in the configuration. Nothing is changed then.
    pub fn edit(&self, line: &CommandLine) -> Result<()> {
        let path = self.folder.join("config.json");
        let mut config = file::read_json(&path)?;
        let options = line.options.clone();
        let options = options.with_annotations(config.get("annotations"))?;
        if !options.enabled {
            return Ok(());
        }
        let additions = additions(line, &options, &self.root(&config))?;
        let old = config.clone();
        edit::container(&mut config, &additions, &path)?;
        if config == old {
            return Ok(());
        }
        file::replace(&path, config.to_string().as_bytes())
    }

    /// The container's root file system.
    fn root(&self, config: &Value) -> PathBuf {
        let path = config.get("root").and_then(|root| root.get("path"));
        self.folder
            .join(path.and_then(Value::as_str).unwrap_or("rootfs"))
    }
}

fn additions(line: &CommandLine, options: &Options, root: &Path) -> Result<Additions> {
    let mut devices = vec![device(KVM)?];
    match options.nsm() {
        Some("host") => devices.push(device(NSM)?),
        Some("auto") if Path::new(NSM).exists() => devices.push(device(NSM)?),
        _ => {}
    }
    let km = km(line)?;
    let folder = km.parent().and_then(Path::parent).map(Path::to_path_buf);
    // What is mounted on a link is behind it, and the link remains the image's.
    let place = root.join(KM.trim_start_matches('/'));
    if fs::symlink_metadata(&place).is_ok_and(|found| found.is_symlink()) {
        return Err(Error::LinkInImage(place));
    }
    let mut mounts = vec![Mount::read_only(km, KM)];
    for (name, place) in LIBRARIES {
        let Some(source) = folder.as_ref().map(|folder| folder.join(name)) else {
            continue;
        };
        // Only km's own, wherever it is installed; the image's may be another version's.
        let is_ours = folder
            .as_ref()
            .is_some_and(|folder| folder.join("runtime/libc.so").exists());
        if is_ours && source.is_dir() && !has_content(root, place) {
            mounts.push(Mount::read_only(source, place));
        }
    }
    // Without root's rights no runtime makes a node, and crun not even tries the mount.
    if !rustix::process::geteuid().is_root() {
        mounts.extend(devices.drain(..).map(|device| Mount::device(device.path)));
    }
    Ok(Additions {
        mounts,
        devices,
        options: options.clone(),
    })
}

/// Whether an image has more at this place than the empty folder that an
/// earlier start of the container has left there. Its links lead nowhere else.
fn has_content(root: &Path, place: &str) -> bool {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let opened = rustix::fs::openat(CWD, root, flags | OFlags::PATH, Mode::empty())
        .and_then(|root| openat2(root, place, flags, Mode::empty(), inside));
    match opened.and_then(Dir::new) {
        Ok(folder) => folder.flatten().any(|entry| {
            let name = entry.file_name();
            name != c"." && name != c".."
        }),
        Err(error) => error != Errno::NOENT,
    }
}

fn device(path: &'static str) -> Result<Device> {
    let failed = |error| Error::Device {
        path: path.into(),
        error,
    };
    let file = fs::metadata(path).map_err(failed)?;
    if !file.file_type().is_char_device() {
        return Err(Error::NotADevice(path.into()));
    }
    Ok(Device {
        path,
        major: rustix::fs::major(file.rdev()),
        minor: rustix::fs::minor(file.rdev()),
    })
}

/// The km that containers have: the one that is asked for, or krun's
/// neighbour.
fn km(line: &CommandLine) -> Result<PathBuf> {
    let path = match &line.km {
        Some(path) => path.clone(),
        None => {
            let own = std::env::current_exe().map_err(Error::file("/proc/self/exe"))?;
            own.with_file_name("km")
        }
    };
    let failed = |error: io::Error| Error::Km {
        path: path.clone(),
        error,
    };
    let path = fs::canonicalize(&path).map_err(failed)?;
    if is_program(&path) {
        Ok(path)
    } else {
        Err(Error::NotKm(path))
    }
}
