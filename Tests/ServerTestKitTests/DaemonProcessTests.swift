import Foundation
import Glibc
import ServerTestKit
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DaemonProcessTests {
    private static let polite = """
        trap 'echo bye; exit 3' TERM
        echo "hello $GREETED"; echo oops >&2
        while :; do sleep 0.05; done
        """

    @Test func outputAndStatusAreSeen() async throws {
        let directory = try ServerDirectory.temporary()
        let log = directory.path("daemon.log")
        let daemon = try DaemonProcess("/bin/sh", ["-c", Self.polite], environment: ["GREETED": "world"], logPath: log)
        #expect(try await daemon.waitForLine(containing: "hello").text == "hello world")
        #expect(try await daemon.waitForLine(containing: "oops").stream == .standardError)
        #expect(try #require(daemon.residentMemory) > 100_000)
        #expect(daemon.threads == 1)
        #expect(try await daemon.terminate() == .exited(3))
        #expect(daemon.lines.last?.text == "bye")
        #expect(try String(contentsOfFile: log, encoding: .utf8).contains("hello world\n"))
        #expect(daemon.residentMemory == nil)
    }

    @Test func killTakesTheChildrenToo() async throws {
        let daemon = try DaemonProcess("/bin/sh", ["-c", "trap '' TERM; sleep 300 & sleep 300 & echo up; wait"])
        try await daemon.waitForLine(containing: "up")
        let group = daemon.process.processID
        #expect(ProcessTable.members(ofGroup: group).count == 3)
        #expect(try await daemon.kill() == .signalled(SIGKILL))
        try await eventually("the group is empty") { ProcessTable.members(ofGroup: group).isEmpty }
    }

    @Test func anEarlyEndIsReportedWithItsLastWords() async throws {
        let daemon = try DaemonProcess("/bin/sh", ["-c", "echo broken configuration >&2; exit 78"])
        let error = await #expect(throws: FixtureError.self) { try await daemon.waitForLine(containing: "ready") }
        #expect(error?.code == .notStarted)
        #expect(error?.explanation.contains("broken configuration") == true)
    }

    @Test func aMissingProgramIsUnavailable() {
        let error = #expect(throws: FixtureError.self) { try DaemonProcess("/nonexistent/postrider") }
        #expect(error?.code == .unavailable)
    }

    @Test func theWorkingDirectoryAndTheEnvironmentAreAsTold() async throws {
        let directory = try ServerDirectory.temporary()
        let daemon = try DaemonProcess(
            "/bin/sh", ["-c", "pwd; echo \"home=$HOME.\""], environment: ["HOME": nil], directory: directory.path)
        try await daemon.waitForLine(containing: directory.path)
        try await daemon.waitForLine(containing: "home=.")
    }
}
