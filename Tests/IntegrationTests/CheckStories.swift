import Foundation
import ServerTestKit
import Testing

/// `postrider check --postfix` against the configuration of a Postfix that runs.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct CheckStories {
    @Test func aGoodSiteHasNoErrorAndABrokenOneNamesEachFinding() async throws {
        try await BadInputStage.play { stage in
            let good = try await Self.check(stage)
            #expect(good.status == .exited(0), "\(good.text)")
            #expect(!good.text.contains(": error: "), "\(good.text)")
            #expect(good.text.contains("can reach the socket and write to it"), "\(good.text)")
            let socket = stage.site.directory.path("milter.sock")
            for fault in Self.faults(socket: socket) {
                try await stage.site.postfix.reconfigure { $0.milters = fault.milters }
                let bad = try await Self.check(stage)
                #expect(bad.status == .exited(fault.isFatal ? 1 : 0), "\(fault.name): \(bad.text)")
                for word in fault.words { #expect(bad.text.contains(word), "\(fault.name): \(word) in: \(bad.text)") }
            }
        }
    }

    @Test func aSocketThatPostfixCannotReachIsAnError() async throws {
        try await BadInputStage.play(prepare: { plan, _ in plan.milterLines = "  body_limit: 1MiB" }) { stage in
            let socket = stage.site.directory.path("milter.sock")
            let closed = try await Privilege.runAsRoot(["chmod", "0600", socket])
            #expect(closed.succeeded, "\(closed.output)")
            let bad = try await Self.check(stage)
            #expect(bad.status == .exited(1), "\(bad.text)")
            for word in ["error: milter.socket: ", "may not write to the socket", "socket_group: postfix"] {
                #expect(bad.text.contains(word), "\(word) in: \(bad.text)")
            }
            #expect(try await stage.daemon.process.terminate() == .exited(0))
            let absent = try await Self.check(stage)
            #expect(absent.text.contains("there is no socket"), "\(absent.text)")
            #expect(absent.status == .exited(0), "\(absent.text)")
        }
    }

    @Test func aFolderWithoutPostfixIsAnError() async throws {
        let directory = try ServerDirectory.temporary()
        let path = try BadInputConfiguration(in: directory).write()
        let bad = try await BadInputCommand.run(["check", "--config", path, "--postfix", directory.path("nothing")])
        #expect(bad.status == .exited(1))
        #expect(bad.text.contains("\(directory.path("nothing"))/main.cf: error: cannot be read"), "\(bad.text)")
        try await directory.remove()
    }

    // MARK: Faults

    private struct Fault {
        let name: String
        let milters: [String]
        var isFatal = true
        let words: [String]
    }

    private static func faults(socket: String) -> [Fault] {
        [
            Fault(
                name: "missing", milters: [],
                words: ["error: smtpd_milters: ", "does not show its mail to Postrider", "postconf ", socket]),
            Fault(
                name: "another socket", milters: ["unix:/nowhere\(socket)"],
                words: ["error: smtpd_milters: ", "leads to /nowhere\(socket)", "listens on \(socket)"]),
            Fault(
                name: "wrong order", milters: ["unix:\(socket)", "inet:127.0.0.1:11332"], isFatal: false,
                words: ["warning: smtpd_milters: ", "rspamd comes after Postrider", "postconf "]),
            Fault(
                name: "refuses while down", milters: ["{ unix:\(socket), default_action=reject }"],
                words: ["error: smtpd_milters: ", "refused for good", "default_action=tempfail"]),
            Fault(
                name: "old protocol", milters: ["{ unix:\(socket), protocol=2, content_timeout=1s }"],
                words: ["protocol 2 is too old", "content_timeout is 1s", "commit_deadline is 2s"]),
        ]
    }

    /// Looks at a copy of the running Postfix's files in which its listener has the port of all inbound mail, 25.
    private static func check(_ stage: BadInputStage) async throws -> BadInputCommand {
        let original = stage.site.directory.path("postfix/etc")
        let copy = try await stage.site.directory.directory("checked")
        try stage.site.directory.write(
            "checked/main.cf", try String(contentsOfFile: "\(original)/main.cf", encoding: .utf8))
        let services = try String(contentsOfFile: "\(original)/master.cf", encoding: .utf8)
        try stage.site.directory.write(
            "checked/master.cf",
            services.replacingOccurrences(of: "127.0.0.1:\(stage.site.postfix.port) inet", with: "smtp inet"))
        return try await BadInputCommand.run(["check", "--config", stage.site.configurationPath, "--postfix", copy])
    }
}
