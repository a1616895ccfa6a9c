import Foundation
import Glibc
import ServerTestKit
import Testing

/// What systemd hears of the daemon (sd_notify(3)), and a stop that comes while the daemon starts.
@Suite(.timeLimit(.minutes(1)))
struct ServiceManagerStories {
    private let directory: ServerDirectory
    private let manager: NotifySocket
    private let configuration: BadInputConfiguration
    private let configurationPath: String
    private static let moreTime = "EXTEND_TIMEOUT_USEC=90000000"

    init() throws {
        directory = try ServerDirectory.temporary()
        manager = try NotifySocket(at: directory.path("notify"))
        configuration = BadInputConfiguration(in: directory)
        configurationPath = try configuration.write()
    }

    private func start() throws -> DaemonProcess {
        try DaemonProcess(
            try BuiltProduct.path(), ["serve", "--config", configurationPath],
            environment: ["NOTIFY_SOCKET": manager.path])
    }

    @Test func readinessIsToldWhenAllListensAndAStopWhenItBegins() async throws {
        let first = try start()
        try await eventually("the daemon says that it is ready") { manager.messages.last == "READY=1" }
        // All listens by now, without another wait. The log has the port; it is read beside this.
        _ = try BadInputPeer(unix: configuration.socket)
        let daemon = try await RunningDaemon(first, key: "")
        #expect(try await daemon.http.get("/healthz").status == 200)
        // A database that is being made is one that is brought up to date.
        let heard = manager.messages
        #expect(heard.count > 1 && heard.dropLast().allSatisfy { $0 == Self.moreTime }, "\(heard)")
        #expect(try await first.terminate() == .exited(0))
        #expect(manager.messages == heard + ["STOPPING=1"])

        // Now there is nothing to be done to the database.
        let second = try start()
        try await eventually("the daemon is ready again") { manager.messages.last == "READY=1" }
        #expect(manager.messages == heard + ["STOPPING=1", "READY=1"])
        #expect(try await second.terminate() == .exited(0))
        try await directory.remove()
    }

    @Test func aStopDuringTheStartBeginsNothing() async throws {
        // The first thing that the daemon says is said amid the first migration, and holds it up until we read.
        try manager.fill()
        let daemon = try start()
        try await eventually("the database is being made") {
            FileManager.default.fileExists(atPath: "\(configuration.database).lock")
        }
        daemon.signal(SIGTERM)
        try await daemon.waitForLine(containing: "stopping")
        #expect(daemon.exitStatus == nil, "a migration is not cut off")
        try await eventually("the daemon ends") {
            _ = manager.messages
            return daemon.exitStatus != nil
        }
        #expect(try await daemon.waitForExit() == .exited(0))
        let heard = manager.messages
        #expect(heard.filter { $0 == "STOPPING=1" }.count == 1 && !heard.contains("READY=1"), "\(heard)")
        #expect(heard.contains(Self.moreTime), "\(heard)")
        #expect(!FileManager.default.fileExists(atPath: configuration.socket), "the milter was never opened")
        #expect(!daemon.lines.contains { $0.text.contains("listening") })

        let next = try start()
        try await eventually("the next start has all it needs") { manager.messages.last == "READY=1" }
        #expect(manager.messages.count == heard.count + 1, "the database was brought up to date by then")
        #expect(try await next.terminate() == .exited(0))
        try await directory.remove()
    }
}
