import Foundation
import ServerTestKit

/// The daemon as a process, over a database of the benchmark's choice.
///
/// Its log goes straight into a file: a reader of ours would wake up for every mail and take part in what is measured.
struct DaemonUnderTest {
    private let process: DaemonProcess
    private let logPath: String
    /// From the start of the process until it said that it was ready.
    let startSeconds: Double

    private init(process: DaemonProcess, logPath: String, startSeconds: Double) {
        self.process = process
        self.logPath = logPath
        self.startSeconds = startSeconds
    }

    /// The recipient whose mail becomes events.
    static let inbox = "help@test.example"

    /// Its socket, for Postfix.
    static func socket(in directory: ServerDirectory) -> String { directory.path("milter.sock") }

    /// - Parameters:
    ///   - relayPort: where its mail goes, on this machine; nil for the default, where nobody listens.
    ///   - connections: to the relay.
    static func start(
        _ programs: Programs, database: String, in directory: ServerDirectory, relayPort: UInt16? = nil,
        connections: Int = 4, settings: String = "", milterLines: String = "", workflow: String? = nil
    ) async throws -> DaemonUnderTest {
        let configuration = try directory.write(
            "postrider.yaml",
            """
            database:
              path: \(database)
            milter:
              socket: \(socket(in: directory))
              socket_mode: "0666"
              socket_group: ""
            \(milterLines)
            http:
              port: 0
            \(relayPort.map { "smtp: { port: \($0), workers: \(connections) }" } ?? "")
            routes:
              - recipient: \(inbox)\(settings)
            """)
        if let workflow {
            let applied = try await Privilege.run(
                [programs.daemon, "workflow", "apply", "--config", configuration, workflow])
            guard applied.succeeded else { throw BenchmarkFailure("workflow apply: \(applied.output)") }
        }
        let log = directory.path("postrider.log")
        // What an earlier daemon said must not be taken for this one's word.
        try? FileManager.default.removeItem(atPath: log)
        let start = ContinuousClock.now
        let process = try DaemonProcess(
            "sh", ["-c", "exec \"$0\" serve --config \"$1\" 2>\"$2\"", programs.daemon, configuration, log])
        let daemon = DaemonUnderTest(process: process, logPath: log, startSeconds: 0)
        try await eventually("the daemon is ready", deadline: .seconds(60), every: .milliseconds(2)) {
            if process.exitStatus != nil { throw BenchmarkFailure("the daemon has ended: \(daemon.log)") }
            return daemon.log.contains("notice ready")
        }
        return DaemonUnderTest(process: process, logPath: log, startSeconds: (ContinuousClock.now - start).inSeconds)
    }

    /// All that it has logged.
    var log: String { FileManager.default.contents(atPath: logPath).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// MB (10⁶ bytes) of resident memory now.
    var memory: Double {
        get throws {
            guard let bytes = process.residentMemory else { throw BenchmarkFailure("the daemon has ended by itself") }
            return Double(bytes) / 1e6
        }
    }

    /// From here on `peakMemory` counts (proc_pid_clear_refs(5)).
    func resetPeak() throws {
        try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/\(process.processID)/clear_refs"))
    }

    /// MB (10⁶ bytes) of resident memory at the most.
    var peakMemory: Double {
        get throws {
            let status = FileManager.default.contents(atPath: "/proc/\(process.processID)/status") ?? Data()
            let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            guard let pages = line?.split(separator: " ").dropFirst().first.flatMap({ Double($0) }) else {
                throw BenchmarkFailure("the daemon has ended by itself")
            }
            return pages * 1024 / 1e6
        }
    }

    /// MB (10⁶ bytes) of resident memory when the start is over and nothing happens.
    func idleMemory() async throws -> Double {
        // What the start needed for a moment is given back, and the first timers have been looked for.
        try await Task.sleep(for: .seconds(3))
        return try memory
    }

    /// Where it serves HTTP. Reads the log, which grows by a line for each mail: to be asked once.
    var httpPort: UInt16 {
        get throws {
            let line = log.split(separator: "\n").first { $0.contains("http is listening") }
            guard let port = line?.split(separator: "port=").last.flatMap({ UInt16($0.prefix { $0.isNumber }) }) else {
                throw BenchmarkFailure("the daemon does not say where it listens: \(log)")
            }
            return port
        }
    }

    func stop() async throws {
        let status = try await process.terminate()
        guard status == .exited(0) else { throw BenchmarkFailure("the daemon did not end well: \(status)") }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
