import Foundation
import Testing

@testable import Settings

@Suite struct SystemFilesTests {
    private let folder: TemporaryFolder
    private let files = SystemFiles()

    init() throws { folder = try TemporaryFolder() }

    @Test func kindsAndModesAreReported() throws {
        let file = try folder.write("x", to: "file", mode: 0o640)
        #expect(files.status(of: "\(folder.path)/none") == .missing)
        #expect(files.status(of: "\(file)/below") == .missing)
        guard case .found(.other, 0o640, _, _) = files.status(of: file) else {
            Issue.record("\(files.status(of: file))")
            return
        }
        guard case .found(.directory, _, _, _) = files.status(of: folder.path) else {
            Issue.record("\(files.status(of: folder.path))")
            return
        }
    }

    @Test func aBoundSocketIsASocket() throws {
        let path = "\(folder.path)/s"
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        guard case .found(.socket, _, _, _) = files.status(of: path) else {
            Issue.record("\(files.status(of: path))")
            return
        }
    }

    @Test func usersHaveTheirGroups() {
        #expect(files.identity(of: "root")?.user == 0)
        #expect(files.identity(of: "root")?.groups.contains(0) == true)
        #expect(files.identity(of: "no-such-user-here") == nil)
    }

    @Test(arguments: [
        (UInt32(0o700), UInt32(1), UInt32(1), true), (0o070, 1, 1, false), (0o070, 2, 1, true), (0o707, 2, 1, false),
        (0o007, 2, 2, true),
        (0o770, 2, 2, false),
    ])
    func theFirstFittingClassDecides(mode: UInt32, owner: UInt32, group: UInt32, isGranted: Bool) {
        let status = FileStatus.found(kind: .other, mode: mode, owner: owner, group: group)
        #expect(status.grants(2, to: UserIdentity(user: 1, groups: [1, 7])) == isGranted)
        #expect(status.grants(2, to: UserIdentity(user: 0, groups: [0])) == true)
    }
}
