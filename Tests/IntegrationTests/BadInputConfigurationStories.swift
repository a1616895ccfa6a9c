import Foundation
import ServerTestKit
import Testing

/// Configurations that cannot be used: the daemon says where and why, and ends with status 1.
@Suite(.timeLimit(.minutes(1)))
struct BadInputConfigurationStories {
    private struct Fault: Sendable {
        let name: String
        /// All of them stand in what is printed; FILE stands for the file's path.
        let words: [String]
        let change: @Sendable (inout BadInputConfiguration) -> Void

        init(_ name: String, _ words: String..., change: @escaping @Sendable (inout BadInputConfiguration) -> Void) {
            (self.name, self.words, self.change) = (name, words, change)
        }
    }

    private static let faults = [
        Fault("unknown section", "FILE:8: error: mylter: ", "milter?") { $0.rest = "mylter:\n  socket: x" },
        Fault("unknown key", "FILE:7: error: http.prot: ", "port?") { $0.http = "  prot: 0" },
        Fault("wrong type", "FILE:7: error: http.port: ", "whole number") { $0.http = "  port: many" },
        Fault("out of range", "FILE:7: error: http.port: ", "65535") { $0.http = "  port: 65536" },
        Fault("a list for a value", "FILE:7: error: http.port: ") { $0.http = "  port: [1, 2]" },
        Fault("a value for a list", "FILE:8: error: routes: ") { $0.rest = "routes: everything" },
        Fault("duplicate key", "FILE:8: error: http.port: ", "second time") { $0.http = "  port: 0\n  port: 1" },
        Fault("duplicate section", "FILE:8: error: http: ", "second time") { $0.rest = "http:\n  port: 1" },
        Fault("unknown key in a route", "FILE:9: error: routes[1].recipent") {
            $0.rest = "routes:\n  - recipent: a@test.example"
        },
        Fault("no address in a route", "FILE:9: error: routes[1].recipient: ") {
            $0.rest = "routes:\n  - recipient: nobody"
        },
        Fault("broken YAML", "FILE:", "no valid YAML") { $0.rest = "routes: [" },
        Fault("long socket path", "FILE:4: error: milter.socket: ", "107") {
            $0.socket = $0.directory.path(String(repeating: "s", count: 120))
        },
        Fault("missing directory of the socket", "milter socket", "/none ") {
            $0.socket = $0.directory.path("none/a.sock")
        },
        Fault("unknown project", "routes", "no project nowhere", "default") { $0.rest += "\n    project: nowhere" },
        Fault("two faults", "FILE:7: error: http.prot: ", "FILE:8: error: mylter: ") {
            $0.http = "  prot: 0"
            $0.rest = "mylter: 1"
        },
    ]

    @Test(arguments: faults.map(\.name))
    func aFaultIsNamedWithItsPlace(fault name: String) async throws {
        let fault = try #require(Self.faults.first { $0.name == name })
        let directory = try ServerDirectory.temporary()
        var configuration = BadInputConfiguration(in: directory)
        fault.change(&configuration)
        let path = try configuration.write()
        let refusal = try await BadInputCommand.run(["serve", "--config", path])
        #expect(refusal.status == .exited(1))
        for word in fault.words.map({ $0.replacingOccurrences(of: "FILE", with: path) }) {
            #expect(refusal.text.contains(word), "\(word) in: \(refusal.text)")
        }
        #expect(!FileManager.default.fileExists(atPath: configuration.socket), "nothing is left behind")
        try await directory.remove()
    }

    @Test func aMissingFileIsNamed() async throws {
        for command in ["serve", "check"] {
            let refusal = try await BadInputCommand.run([command, "--config", "/nonexistent/postrider.yaml"])
            #expect(refusal.status == .exited(1))
            #expect(refusal.text.contains("/nonexistent/postrider.yaml") && refusal.text.contains("does not exist"))
            #expect(refusal.lines.count == 1, "\(refusal.text)")
        }
    }

    @Test func aVariableWithABadValueIsNamed() async throws {
        let directory = try ServerDirectory.temporary()
        let path = try BadInputConfiguration(in: directory).write()
        let daemon = try DaemonProcess(
            try BuiltProduct.path(), ["serve", "--config", path], environment: ["POSTRIDER_HTTP_PORT": "none"])
        try await daemon.waitForLine(containing: "POSTRIDER_HTTP_PORT")
        #expect(try await daemon.waitForExit(deadline: .seconds(3)) == .exited(1))
        try await directory.remove()
    }

    @Test func aTakenPortIsNamed() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        var configuration = BadInputConfiguration(in: directory)
        configuration.http = "  port: \(sink.port)"
        let refusal = try await BadInputCommand.run(["serve", "--config", try configuration.write()])
        #expect(refusal.status == .exited(1))
        let last = try #require(refusal.lines.last)
        for word in ["http.port", "127.0.0.1:\(sink.port)", "in use"] {
            #expect(last.contains(word), "\(word) in: \(refusal.text)")
        }
        try await sink.stop()
        try await directory.remove()
    }

    @Test func aTakenMilterSocketIsNamedAndLeftAlone() async throws {
        let directory = try ServerDirectory.temporary()
        var configuration = BadInputConfiguration(in: directory)
        let first = try DaemonProcess(
            try BuiltProduct.path(), ["serve", "--config", try configuration.write("first.yaml")])
        try await first.waitForLine(containing: "notice ready")
        configuration.database = directory.path("second.db")
        let refusal = try await BadInputCommand.run(["serve", "--config", try configuration.write("second.yaml")])
        #expect(refusal.status == .exited(1))
        #expect(refusal.text.contains("Another process listens on the milter socket \(configuration.socket)"))
        #expect(FileManager.default.fileExists(atPath: configuration.socket))
        #expect(try await first.terminate() == .exited(0))
        try await directory.remove()
    }
}
