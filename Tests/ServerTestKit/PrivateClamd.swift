import Foundation
import Glibc

/// A real clamd of our own, on a Unix socket, that knows one virus: the text ``virus``.
package final class PrivateClamd: Sendable {
    /// The text that is found wherever it stands, and under which name.
    package static let virus = "KIT-VIRUS-MARKER"
    package static let virusName = "Kit.Test.Virus"

    /// The path of its socket.
    package let socket: String
    private let process: SpawnedProcess

    private init(socket: String, process: SpawnedProcess) {
        self.socket = socket
        self.process = process
    }

    deinit { process.signalGroup(SIGKILL) }

    /// Whether it can be started here.
    package static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: "/usr/sbin/clamd") }

    /// Starts it in `directory`, which must outlive it.
    ///
    /// - Parameter streamLimit: its StreamMaxLength.
    /// - Throws: ``FixtureError`` `unavailable` without clamd, `notStarted` with what it said.
    package static func start(
        in directory: ServerDirectory, name: String = "clamd", streamLimit: String = "10M"
    ) async throws -> PrivateClamd {
        guard isInstalled else {
            throw FixtureError(.unavailable, "/usr/sbin/clamd is missing: apt-get install clamav-daemon")
        }
        let user = Privilege.isRoot ? "nobody" : nil
        let home = try await directory.directory(name, owner: user)
        try await directory.directory("\(name)/db")
        let hexadecimal = virus.utf8.map { String(format: "%02x", $0) }.joined()
        try directory.write("\(name)/db/kit.ndb", "\(virusName):0:*:\(hexadecimal)\n")
        let socket = "\(home)/s"
        unlink(socket)
        try directory.write(
            "\(name)/clamd.conf",
            """
            LocalSocket \(socket)
            LocalSocketMode 666
            DatabaseDirectory \(home)/db
            TemporaryDirectory \(home)
            Foreground yes
            StreamMaxLength \(streamLimit)
            \(user.map { "User \($0)" } ?? "")

            """)
        let output = directory.path("\(name).log")
        let process = try SpawnedProcess(
            ["/usr/sbin/clamd", "-c", "\(home)/clamd.conf"], output: .file(output), errors: .file(output))
        do {
            try await eventually("clamd listens", deadline: .seconds(30)) {
                guard process.exitStatus == nil else { throw FixtureError(.notStarted, "clamd has ended") }
                return access(socket, W_OK) == 0
            }
        } catch {
            process.signalGroup(SIGKILL)
            let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            throw FixtureError(.notStarted, "clamd: \(error) \(text)")
        }
        return PrivateClamd(socket: socket, process: process)
    }

    /// Ends it.
    package func stop() async throws {
        process.signalGroup(SIGKILL)
        try await process.waitForExit()
    }
}
