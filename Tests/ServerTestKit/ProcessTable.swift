import Foundation
import Glibc

/// What proc(5) tells about the processes of this machine.
package enum ProcessTable {
    /// The living processes of a process group; a zombie counts as ended.
    package static func members(ofGroup group: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { candidate in
            guard let entry = stat(candidate) else { return false }
            return entry.group == group && entry.state != "Z" && entry.state != "X"
        }
    }

    /// Resident memory in bytes (`VmRSS`, which the kernel gives in kB of 1024), nil when there is no such process.
    package static func residentMemory(of processID: pid_t) -> Int? {
        guard let line = statusLine("VmRSS:", of: processID) else { return nil }
        return line.split(separator: " ").first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    /// The number of threads.
    package static func threads(of processID: pid_t) -> Int? {
        statusLine("Threads:", of: processID).flatMap { Int($0) }
    }

    /// The time that processors have spent on it, itself and the kernel for it (fields 14 and 15 of `/proc/PID/stat`).
    package static func processorTime(of processID: pid_t) -> Duration? {
        guard let text = read("/proc/\(processID)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let own = Int(fields[11]), let kernel = Int(fields[12]) else { return nil }
        return .milliseconds((own + kernel) * 1000 / max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Where the open descriptors of a process point to (readlink(2) of `/proc/PID/fd/*`).
    package static func openFiles(of processID: pid_t) -> [String] {
        let directory = "/proc/\(processID)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\($0)") }
    }

    /// Whether every thread of a process is stopped by a signal; false when there is no such process.
    package static func isStopped(_ processID: pid_t) -> Bool {
        let directory = "/proc/\(processID)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return !threads.isEmpty && threads.allSatisfy { state(at: "\(directory)/\($0)/stat")?.state == "T" }
    }

    private static func statusLine(_ key: String, of processID: pid_t) -> String? {
        guard let text = read("/proc/\(processID)/status") else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
        return line.map { $0.dropFirst(key.count).trimmingCharacters(in: .whitespaces) }
    }

    private static func stat(_ processID: pid_t) -> (state: String, group: pid_t)? {
        state(at: "/proc/\(processID)/stat")
    }

    private static func state(at path: String) -> (state: String, group: pid_t)? {
        // "pid (name) state ppid pgrp …": the name may hold spaces and parentheses, so read from the last one.
        guard let text = read(path), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 2, let group = pid_t(fields[2]) else { return nil }
        return (String(fields[0]), group)
    }

    private static func read(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(bytes: data, encoding: .utf8)
    }
}
