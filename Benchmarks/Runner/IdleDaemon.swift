import ServerTestKit

/// Resident memory of the daemon after its start, with a fresh database and nothing to do; against the limit.
struct IdleDaemon {
    let programs: Programs

    private static let rounds = 3
    /// MB.
    private static let limit = 60.0

    func run() async throws -> BenchmarkResult {
        var memory: [Double] = []
        var starts: [Double] = []
        for number in 1...Self.rounds {
            let directory = try ServerDirectory.temporary()
            let daemon = try await DaemonUnderTest.start(
                programs, database: directory.path("postrider.db"), in: directory)
            memory.append(try await daemon.idleMemory())
            starts.append(daemon.startSeconds)
            say("  round \(number): \(short(memory[number - 1])) MB, ready after \(short(daemon.startSeconds)) s")
            try await daemon.stop()
            try await directory.remove()
        }
        return BenchmarkResult(
            value: median(memory), unit: "MB", against: "limit of 60 MB", ratio: median(memory) / Self.limit,
            more: [("startSeconds", median(starts))])
    }
}
