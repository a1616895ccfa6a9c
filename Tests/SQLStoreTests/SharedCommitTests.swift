import Engine
import EngineTestKit
import SQLStore
import Testing

/// Which writes share a commit because they were announced. A patience of an hour stands for one that never ends.
@Suite struct SharedCommitTests {
    private struct Stage {
        let database: TemporaryDatabase
        let store: SQLiteStore
        private let before: Int

        init(patience: Duration) throws {
            database = try TemporaryDatabase()
            store = try SQLiteStore(path: database.path, exclusively: true, patience: patience)
            before = store.commitCount
        }

        /// How many commits there were; the store is closed then, and the last of them counted.
        func commits() throws -> Int {
            try store.close()
            return store.commitCount - before
        }

        /// A write that is on its way when this returns.
        func begin(
            others: Int?,
            _ body: @escaping @Sendable (any StoreTransaction) throws -> Void = { try $0.count("seen", by: 1) }
        ) -> Write {
            let (results, continuation) = AsyncStream<Result<Void, any Error>>.makeStream()
            store.submit(others: others, body) {
                continuation.yield($0)
                continuation.finish()
            }
            return Write(results: results)
        }
    }

    private struct Write {
        let results: AsyncStream<Result<Void, any Error>>

        /// Its end, which is to come once.
        func end() async throws {
            var ends: [Result<Void, any Error>] = []
            for await result in results { ends.append(result) }
            try #require(ends.count == 1)
            try ends[0].get()
        }
    }

    @Test func announcedWritesShareACommit() async throws {
        let stage = try Stage(patience: .seconds(3600))
        for write in (0..<5).map({ _ in stage.begin(others: 4) }) { try await write.end() }
        #expect(try stage.commits() == 1)
    }

    /// Those that come later count fewer others: the ones before them wait already.
    @Test func theFirstSaysForHowManyIsWaited() async throws {
        let stage = try Stage(patience: .seconds(3600))
        for write in [6, 5, 4, 3, 2, 1, 1].map({ stage.begin(others: $0) }) { try await write.end() }
        #expect(try stage.commits() == 1)
    }

    @Test func writeThatExpectsNobodyTakesTheWaitingAlong() async throws {
        let stage = try Stage(patience: .seconds(3600))
        let (waiting, hurried) = (stage.begin(others: 9), stage.begin(others: 0))
        try await hurried.end()
        try await waiting.end()
        #expect(try stage.commits() == 1)
    }

    @Test func writeThatDoesNotMindGoesAlong() async throws {
        let stage = try Stage(patience: .seconds(3600))
        // It is none of those that were announced.
        for write in [4, nil, nil, 3, 2, 1, 1].map({ stage.begin(others: $0) }) { try await write.end() }
        #expect(try stage.commits() == 1)
    }

    @Test func writeThatDoesNotMindWaitsForNobody() async throws {
        let stage = try Stage(patience: .seconds(3600))
        for _ in 0..<3 { try await stage.begin(others: nil).end() }
        #expect(try stage.commits() == 3)
    }

    @Test func hurriedWriteIsNotHeldUpByOneThatComesAfterIt() async throws {
        let stage = try Stage(patience: .seconds(3600))
        let (hurried, patient) = (stage.begin(others: 0), stage.begin(others: 9))
        try await hurried.end()
        // If it did not come along, it waits now.
        try await stage.begin(others: 0).end()
        try await patient.end()
        try stage.store.close()
    }

    @Test func writeThatExpectsFewDoesNotWait() async throws {
        let stage = try Stage(patience: .seconds(3600))
        for others in 0...3 { try await stage.begin(others: others).end() }
        #expect(try stage.commits() == 4)
    }

    @Test func writeWhoseCompanyNeverComesIsCommittedAfterAMoment() async throws {
        let stage = try Stage(patience: .milliseconds(1))
        for _ in 0..<20 { try await stage.begin(others: 19).end() }
        #expect(try stage.commits() == 20)
    }

    @Test func failureInASharedCommitIsItsOwn() async throws {
        struct Refused: Error {}
        let stage = try Stage(patience: .seconds(3600))
        let kept = (0..<4).map { _ in stage.begin(others: 4) }
        let refused = stage.begin(others: 4) { _ in throw Refused() }
        await #expect(throws: Refused.self) { try await refused.end() }
        for write in kept { try await write.end() }
        #expect(try stage.commits() == 1)
    }

    /// More than the cache holds: SQLite would make room by writing pages into the log, some of them twice. After a crash the
    /// log is all there is.
    @Test func whatAFailedWriteHadWrittenTakesNoCommitAlong() async throws {
        struct Refused: Error {}
        let stage = try Stage(patience: .seconds(3600))
        let filler = String(repeating: "x", count: 3000)
        let before = stage.begin(others: 4)
        let refused = stage.begin(others: 4) {
            for number in 0..<3000 { try $0.count("\(number)\(filler)", by: 1) }
            throw Refused()
        }
        let after = (0..<3).map { _ in stage.begin(others: 4) }
        await #expect(throws: Refused.self) { try await refused.end() }
        for write in [before] + after { try await write.end() }
        for _ in 0..<3 { try await stage.begin(others: 0).end() }
        let crashed = try stage.database.crashed()
        let store = try SQLiteStore(path: crashed.path, exclusively: true)
        #expect(try await store.read { try $0.counters() } == ["seen": 7])
        try store.close()
        #expect(try stage.commits() == 4)
    }

    @Test func closingEndsTheWait() async throws {
        let stage = try Stage(patience: .seconds(3600))
        let waiting = stage.begin(others: 9)
        try stage.store.close()
        try await waiting.end()
        #expect(try stage.commits() == 1)
    }
}
