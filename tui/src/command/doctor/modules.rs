//! Whether a part of the kernel is there: loaded, built in, or in its folder of modules.

use super::machine::Machine;
use super::report::{Check, Purpose};
use super::system::{Family, System};

/// Where a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// In the kernel, loaded.
    Loaded,
    /// In the kernel, for ever.
    BuiltIn,
    /// In the folder of modules.
    Loadable,
    /// In none of these.
    Absent,
    /// The folder of modules of this kernel is not here, as in a container.
    Unknown,
}

impl Module {
    /// Looks for a module.
    pub fn find(machine: &Machine, system: &System, name: &str) -> Self {
        let folder = format!("sys/module/{name}");
        if machine.has(&format!("{folder}/initstate")) {
            return Self::Loaded;
        }
        let modules = format!("lib/modules/{}", system.release);
        let lists = |list: &str| machine.list(&format!("{modules}/{list}"));
        let built_in = lists("modules.builtin").is_some_and(|text| has(&text, name));
        if built_in || machine.has_folder(&folder) {
            return Self::BuiltIn;
        }
        match lists("modules.dep") {
            Some(text) if has(&text, name) => Self::Loadable,
            Some(_) => Self::Absent,
            None => Self::Unknown,
        }
    }

    /// Whether the kernel has it now.
    pub fn is_there(self) -> bool {
        matches!(self, Self::Loaded | Self::BuiltIn)
    }
}

/// Whether a list has a line for the module: `kernel/drivers/.../mlx5_ib.ko.xz: ...`. Names of
/// files may have a dash where the module has an underscore.
fn has(list: &str, name: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.split_once(".ko").is_some_and(|(file, _)| file.replace('-', "_") == name)
    })
}

/// The check that a module is there.
pub fn check(
    machine: &Machine,
    system: &System,
    purpose: Purpose,
    name: &str,
    why: &'static str,
) -> Check {
    let title = format!("module {name}");
    let found = Module::find(machine, system, name);
    let to_do = |finding: &str| Check::to_do(purpose, &title, why, finding.to_owned());
    match found {
        Module::Loaded => Check::ok(purpose, &title, why, "loaded".to_owned()),
        Module::BuiltIn => Check::ok(purpose, &title, why, "built into the kernel".to_owned()),
        Module::Loadable => to_do("not loaded, but there to be")
            .commands([system.as_root(&format!("modprobe {name}"))]),
        Module::Absent => absent(system, to_do("not in this kernel, and not among its modules")),
        Module::Unknown => {
            let check = to_do("not loaded, and the folder of this kernel's modules is not here");
            match system.container {
                Some(_) => check.advice(format!("On the host, as root: modprobe {name}")),
                None => absent(system, check),
            }
        }
    }
}

/// Where modules come from.
fn absent(system: &System, check: Check) -> Check {
    match system.family {
        Family::Debian if system.ubuntu => check
            .advice("Ubuntu keeps some of its drivers in a package of their own.")
            .commands([system.as_root("apt-get install linux-modules-extra-$(uname -r)")]),
        Family::Debian => check
            .advice(
                "The package of Debian's ordinary kernel has it; after it is installed, boot that \
                 kernel. Where the architecture is another, the package's last word is, too.",
            )
            .commands([system.as_root("apt-get install linux-image-amd64")]),
        Family::Fedora => check
            .advice("The kernel's modules are in a package of their own.")
            .commands([system.as_root("dnf install kernel-modules-$(uname -r)")]),
        Family::Other => check.advice(
            "Install the modules of this kernel, or a kernel that has them: CONFIG_MLX5_CORE, \
             CONFIG_MLX5_INFINIBAND, CONFIG_INFINIBAND_USER_ACCESS, CONFIG_VFIO_PCI.",
        ),
    }
}
