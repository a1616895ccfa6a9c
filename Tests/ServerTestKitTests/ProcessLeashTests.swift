import Foundation
import Testing

@testable import ServerTestKit

@Suite(.timeLimit(.minutes(1)))
struct ProcessLeashTests {
    @Test func whatIsLeftIsUndoneLatestFirst() async throws {
        let directory = try ServerDirectory.temporary()
        let file = directory.path("order")
        func useUp() throws {
            let leash = try ProcessLeash()
            _ = leash.hold("echo first >> \(file)")
            leash.hold("echo never >> \(file)").release()
            _ = leash.hold("kill -s KILL -- -999999999; echo second >> \(file)")
        }
        try useUp()
        try await eventually("the commands have run") {
            (try? String(contentsOfFile: file, encoding: .utf8)) == "second\nfirst\n"
        }
    }

    @Test func theGroupOfAServerDiesWithTheLeash() async throws {
        let process = try SpawnedProcess(
            ["sh", "-c", "sleep 300 & sleep 300"], output: .file("/dev/null"), errors: .file("/dev/null"),
            leashed: false)
        func useUp() throws {
            let leash = try ProcessLeash()
            _ = leash.hold(ProcessLeash.killing(group: process.processID))
        }
        try useUp()
        #expect(try await process.waitForExit() == .signalled(9))
        try await eventually("its child is dead") { ProcessTable.members(ofGroup: process.processID).isEmpty }
    }
}
