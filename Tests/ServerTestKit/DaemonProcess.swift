import Foundation
import Glibc
import Synchronization

/// A program under test as a real process, with its output in memory and in a log file.
package final class DaemonProcess: Sendable, CustomStringConvertible {
    /// One line of output.
    package struct OutputLine: Sendable, Equatable {
        /// The two output streams.
        package enum Stream: Sendable { case standardOutput, standardError }
        /// Where it came from.
        package let stream: Stream
        /// The line without its end; what is not UTF-8 is replaced.
        package let text: String
    }

    /// The process.
    package let process: SpawnedProcess
    /// Both streams, line by line, in the order they arrived.
    package let logPath: String?
    private let program: String
    private let output: OutputCollector

    /// Starts the program.
    ///
    /// - Parameters:
    ///   - executable: a path, or a name to look up in `PATH`.
    ///   - environment: added to ours; a nil value removes a variable.
    ///   - directory: its working directory.
    ///   - logPath: a file to append the output to.
    /// - Throws: ``FixtureError`` `unavailable`.
    package init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String?] = [:],
        directory: String? = nil, logPath: String? = nil
    ) throws {
        program = executable
        self.logPath = logPath
        let collector = try OutputCollector(logPath: logPath)
        output = collector
        let variables = ProcessInfo.processInfo.environment.merging(
            environment.compactMapValues { $0 }, uniquingKeysWith: { $1 }
        ).filter { name, _ in environment[name].map { $0 != nil } ?? true }
        let first = try OutputPipe()
        let second = try OutputPipe()
        process = try SpawnedProcess(
            [executable] + arguments, environment: variables, directory: directory,
            output: .descriptor(first.writing), errors: .descriptor(second.writing))
        first.read(.standardOutput, into: collector)
        second.read(.standardError, into: collector)
    }

    deinit { process.signalGroup(SIGKILL) }

    package var description: String { "\(program) (process \(process.processID))" }

    /// All lines so far.
    package var lines: [OutputLine] { output.lines }

    /// The process id.
    package var processID: pid_t { process.processID }

    /// Resident memory in bytes; nil when the process has ended.
    package var residentMemory: Int? { ProcessTable.residentMemory(of: process.processID) }

    /// The time that processors have spent on it; nil when the process has ended.
    package var processorTime: Duration? { ProcessTable.processorTime(of: process.processID) }

    /// The number of threads; nil when the process has ended.
    package var threads: Int? { ProcessTable.threads(of: process.processID) }

    /// The number of open descriptors; 0 when the process has ended.
    package var openDescriptors: Int { ProcessTable.openFiles(of: process.processID).count }

    /// The end of the process, nil while it runs.
    package var exitStatus: SpawnedProcess.ExitStatus? { process.exitStatus }

    /// Waits for a line that contains `part`, past or coming, and returns it.
    ///
    /// - Parameters:
    ///   - start: how many lines to leave out: ``lines``.count before the act whose trace is awaited.
    /// - Throws: ``FixtureError`` `notStarted` when the process ends without it, `timedOut`; both with the last output.
    @discardableResult
    package func waitForLine(
        containing part: String, from start: Int = 0, deadline: Duration = .seconds(15)
    ) async throws -> OutputLine {
        do {
            return try await eventualValue("a line with \(part)", deadline: deadline, every: .milliseconds(10)) {
                // Asked before the lines are read: what it wrote before its end is then in them or never comes.
                let ended = output.isClosed
                if let line = output.lines.dropFirst(start).first(where: { $0.text.contains(part) }) { return line }
                guard !ended else { throw FixtureError(.notStarted, "ended (\(endText)) without a line with \(part)") }
                return nil
            }
        } catch let error as FixtureError {
            throw FixtureError(error.code, "\(self): \(error.explanation)\n\(tail)")
        }
    }

    /// Sends SIGTERM to the process and waits for its end.
    ///
    /// - Throws: ``FixtureError`` `timedOut`, after which the process is killed.
    @discardableResult
    package func terminate(deadline: Duration = .seconds(20)) async throws -> SpawnedProcess.ExitStatus {
        process.signal(SIGTERM)
        return try await end(deadline)
    }

    /// Sends SIGKILL to the process and its children and waits for their end.
    @discardableResult
    package func kill() async throws -> SpawnedProcess.ExitStatus {
        process.signalGroup(SIGKILL)
        return try await end(.seconds(10))
    }

    /// Stops the process where it is, as SIGSTOP does, and waits until every thread of it stands: the signal alone is still
    /// on its way when kill(2) returns.
    package func freeze() async throws {
        signal(SIGSTOP)
        try await eventually("the process is stopped") { ProcessTable.isStopped(process.processID) }
    }

    /// Sends any signal to the process alone, for example SIGHUP.
    package func signal(_ number: Int32) { process.signal(number) }

    /// Waits for the end without causing it.
    package func waitForExit(deadline: Duration = .seconds(15)) async throws -> SpawnedProcess.ExitStatus {
        try await process.waitForExit(deadline: deadline)
    }

    private func end(_ deadline: Duration) async throws -> SpawnedProcess.ExitStatus {
        do {
            let status = try await process.waitForExit(deadline: deadline)
            // A child left over would hold the pipes; the daemon's own last words are in them.
            process.signalGroup(SIGKILL)
            try await eventually("the output ends", deadline: .seconds(5)) { output.isClosed }
            return status
        } catch let error as FixtureError {
            process.signalGroup(SIGKILL)
            throw FixtureError(error.code, "\(self): \(error.explanation)\n\(tail)")
        }
    }

    private var endText: String { exitStatus.map { "\($0)" } ?? "output closed" }

    private var tail: String { output.lines.suffix(30).map(\.text).joined(separator: "\n") }
}

/// Gathers the lines of both streams.
private final class OutputCollector: Sendable {
    private struct State {
        var lines: [DaemonProcess.OutputLine] = []
        var open = 2
    }

    private let state = Mutex(State())
    private let log: FileHandle?

    init(logPath: String?) throws {
        guard let logPath else {
            log = nil
            return
        }
        let descriptor = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FixtureError(.unavailable, "cannot write \(logPath): errno \(errno)") }
        log = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    var lines: [DaemonProcess.OutputLine] { state.withLock { $0.lines } }
    var isClosed: Bool { state.withLock { $0.open == 0 } }

    func add(_ bytes: some Sequence<UInt8>, _ stream: DaemonProcess.OutputLine.Stream) {
        let line = DaemonProcess.OutputLine(stream: stream, text: String(decoding: Array(bytes), as: UTF8.self))
        state.withLock { state in
            state.lines.append(line)
            try? log?.write(contentsOf: Data((line.text + "\n").utf8))
        }
    }

    func close() { state.withLock { $0.open -= 1 } }
}

/// The two ends of a pipe of which the child gets one.
private struct OutputPipe: ~Copyable {
    private let reading: Int32
    let writing: Int32

    init() throws {
        (reading, writing) = try Descriptors.pipe()
    }

    /// Closes our copy of the child's end and reads the other on a thread until it ends.
    consuming func read(_ stream: DaemonProcess.OutputLine.Stream, into collector: OutputCollector) {
        close(writing)
        let descriptor = reading
        let thread = Thread {
            var pending: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { break }
                pending += buffer[..<count]
                while let feed = pending.firstIndex(of: 0x0a) {
                    collector.add(pending[..<feed], stream)
                    pending.removeFirst(feed + 1)
                }
            }
            if !pending.isEmpty { collector.add(pending, stream) }
            close(descriptor)
            collector.close()
        }
        thread.stackSize = 256 * 1024
        thread.start()
    }
}
