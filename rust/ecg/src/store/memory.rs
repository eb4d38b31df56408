//! How much memory this process may still take: the machine's, and that of every control group that it is in.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that can be taken without anybody swapping or being killed; cached file pages count as free. `None` where the system does not say.
pub fn available() -> Option<u64> {
    available_under(Path::new("/"))
}

fn available_under(root: &Path) -> Option<u64> {
    let machine = kilobytes(&fs::read_to_string(root.join("proc/meminfo")).ok()?, "MemAvailable:")?;
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let folders = groups.lines().filter_map(|line| group_folder(root, line));
    Some(folders.filter_map(|folder| least_room(&folder)).fold(machine, u64::min))
}

/// The memory controller's folder of one line of `/proc/self/cgroup`: `0::/path` in version 2, `4:memory:/path` in version 1.
fn group_folder(root: &Path, line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let base = match controllers {
        "" => root.join("sys/fs/cgroup"),
        _ if controllers.split(',').any(|name| name == "memory") => root.join("sys/fs/cgroup/memory"),
        _ => return None,
    };
    Some(base.join(path.trim_start_matches('/')))
}

/// What is left in the tightest of a group and the groups around it.
fn least_room(folder: &Path) -> Option<u64> {
    folder.ancestors().take_while(|group| group.file_name().is_some_and(|name| name != "fs")).filter_map(room).min()
}

/// What is left in one group; `None` when it has no limit.
fn room(group: &Path) -> Option<u64> {
    let number =
        |names: [&str; 2]| names.iter().find_map(|name| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok());
    let limit = number(["memory.max", "memory.limit_in_bytes"])?;
    let used = number(["memory.current", "memory.usage_in_bytes"])?;
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let statistic = |name: &str| statistics.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok());
    // In version 1, what has no `total_` leaves out the groups inside.
    let cached = ["inactive_file ", "active_file "]
        .into_iter()
        .filter_map(|name| statistic(&format!("total_{name}")).or_else(|| statistic(name)));
    Some(limit.saturating_sub(used.saturating_sub(cached.sum())))
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal:  99999999 kB\nMemAvailable:    8388608 kB\n");

    #[test]
    fn without_a_control_group_it_is_what_the_machine_has() {
        assert_eq!(available_under(machine(&[MEMORY]).path()), Some(8 * GIB));
    }

    #[test]
    fn a_group_of_version_two_limits_it_and_its_page_cache_counts_as_free() {
        let root = machine(&[
            MEMORY,
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/step/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/job/step/memory.current", "3221225472\n"),
            ("sys/fs/cgroup/job/step/memory.stat", "anon 1\ninactive_file 1073741824\nactive_file 536870912\n"),
        ]);
        assert_eq!(available_under(root.path()), Some(GIB + GIB + GIB / 2));
    }

    #[test]
    fn the_tightest_of_the_groups_around_it_counts() {
        let root = machine(&[
            MEMORY,
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
            ("sys/fs/cgroup/job/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/job/memory.current", "1073741824\n"),
        ]);
        assert_eq!(available_under(root.path()), Some(GIB));
    }

    #[test]
    fn a_group_of_version_one_limits_it() {
        let root = machine(&[
            MEMORY,
            ("proc/self/cgroup", "9:name=systemd:/\n4:memory:/job\n"),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 7\ntotal_inactive_file 4096\n"),
        ]);
        assert_eq!(available_under(root.path()), Some(4096));
    }

    #[test]
    fn a_system_that_does_not_say_has_no_answer() {
        assert_eq!(available_under(machine(&[]).path()), None);
    }
}
