import Foundation
import ServerTestKit
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FullDiskTests {
    @Test func fillsUpAndRecovers() async throws {
        let directory = try ServerDirectory.temporary()
        let disk: FullDisk
        do {
            disk = try await FullDisk.mount(in: directory, kibibytes: 256)
        } catch let error as FixtureError where error.code == .unavailable {
            print("skipped: \(error)")
            return
        }
        let file = URL(fileURLWithPath: disk.path + "/file")
        let content = Data(repeating: 1, count: 64 * 1024)
        try await disk.fill()
        #expect(throws: (any Error).self) { try content.write(to: file) }
        try disk.makeRoom()
        try content.write(to: file)
        try await disk.fill(leaving: 64)
        try content.write(to: URL(fileURLWithPath: disk.path + "/second"))
        try await disk.unmount()
        #expect(!FileManager.default.fileExists(atPath: file.path))
        try await directory.remove()
    }
}
