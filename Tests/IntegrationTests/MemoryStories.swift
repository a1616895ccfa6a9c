import Foundation
import ServerTestKit
import Testing

/// What the daemon holds in memory.
@Suite(.timeLimit(.minutes(1)))
struct MemoryStories {
    @Test func whatOnlyTheStartNeededIsLetGo() async throws {
        let site = try await BareSite()
        let daemon = try await site.start()
        let maps = try String(contentsOfFile: "/proc/\(daemon.process.processID)/smaps", encoding: .utf8)
        let code = try #require(Mapping.all(in: maps).first { $0.path == site.executable && $0.permissions == "r-xp" })
        #expect(code.residentSize < code.size / 2, "\(code)")
        // Not lost with it: what the linker relocated.
        let answer = try await daemon.http.get("/healthz")
        #expect(answer.status == 200)
        #expect(try await daemon.process.terminate() == .exited(0))
        try await site.directory.remove()
    }
}

/// A mapping of a process, as proc_pid_smaps(5) tells of it. Sizes are in kB.
private struct Mapping {
    var permissions: String
    var path: String
    var size = 0
    var residentSize = 0

    static func all(in text: String) -> [Mapping] {
        var mappings: [Mapping] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words[0] {
            case "Size:": mappings[mappings.count - 1].size = Int(words[1]) ?? 0
            case "Rss:": mappings[mappings.count - 1].residentSize = Int(words[1]) ?? 0
            case let first where !first.hasSuffix(":"):
                mappings.append(Mapping(permissions: words[1], path: words.count > 5 ? words[5] : ""))
            default: break
            }
        }
        return mappings
    }
}
