import Engine
import JSONValue
import Testing
import WorkflowModel

/// What comes back of mail.
extension StoreContract {
    static func mailReturns(_ store: any Store) async throws {
        try await seed(store)
        let bounced = MailReturn(entryID: id(200), kind: .bounced, at: time, details: ["status": "5.1.1"])
        var again = bounced
        again.at = time.adding(seconds: 9)
        again.details = [:]
        let second = again
        let isNew = try await store.write { transaction in
            try [bounced, second, MailReturn(entryID: id(200), kind: .complained, at: time, details: [:])]
                .map { try transaction.insert($0) }
        }
        #expect(isNew == [true, false, true])
        let found = try await store.read { try $0.returns(of: id(200)) }
        #expect(found.count == 2 && found.contains(bounced))
        #expect(try await store.read { try $0.returns(of: id(201)) }.isEmpty)
        try await store.write { transaction in
            try transaction.noteAnswer(to: id(100), at: time)
            try transaction.noteAnswer(to: id(100), at: time.adding(seconds: 1))
        }
        #expect(try await store.read { try $0.answeredAt(execution: id(100)) } == time.adding(seconds: 1))
        #expect(try await store.read { try $0.answeredAt(execution: id(101)) } == nil)
    }

    static func queueIDs(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            for (number, (queueID, seconds)) in [("4A", 0), ("4A", 50), ("4B", 60)].enumerated() {
                try transaction.insert(entry(200 + UInt64(number)))
                try transaction.record(
                    AttemptRecord(
                        status: .delivered, at: time.adding(seconds: Int64(seconds)), reply: "250",
                        relayQueueID: queueID), of: id(200 + UInt64(number)))
            }
            try transaction.insert(entry(210))
        }
        let found = try await store.write { transaction in
            try [("4A", Int64(0)), ("4A", 40), ("4B", 100), ("4C", 0), ("", 0)].map { queueID, seconds in
                try transaction.entries(relayQueueID: queueID, since: time.adding(seconds: seconds)).map(\.id)
            }
        }
        #expect(found == [[id(201), id(200)], [id(201)], [], [], []])
    }

    static func reports(_ store: any Store) async throws {
        try await seed(store)
        func report(_ number: UInt64, _ seconds: Int64, isVerified: Bool, address: String) -> InboundReport {
            InboundReport(
                id: id(300 + number), projectID: project.id, at: time.adding(seconds: seconds),
                mailClass: "delivery_report", outcome: isVerified ? "bounced" : "unverified", isVerified: isVerified,
                matchedBy: isVerified ? "marker" : nil, entryID: isVerified ? id(200) : nil, address: address,
                details: ["status": "5.1.1"])
        }
        let all = [
            report(0, 0, isVerified: true, address: "ann@example.org"),
            report(1, 10, isVerified: false, address: "ben@example.org"),
            report(2, 20, isVerified: true, address: "ben@example.org"),
        ]
        try await store.write { transaction in for report in all { try transaction.insert(report) } }
        let selections = [
            ReportSelection(projectID: project.id, limit: 2),
            ReportSelection(projectID: project.id, cursor: id(301), limit: 2),
            ReportSelection(projectID: project.id, isVerified: false, limit: 9),
            ReportSelection(projectID: project.id, outcome: "bounced", address: "ben@example.org", limit: 9),
            ReportSelection(projectID: id(9), limit: 9),
        ]
        let found = try await store.read { reader in try selections.map { try reader.reports($0) } }
        #expect(found == [[all[2], all[1]], [all[0]], [all[1]], [all[2]], []])
        let forgotten = try await store.write { transaction in
            try [(Int64(15), 1), (15, 9), (15, 9)].map {
                try transaction.pruneReports(before: time.adding(seconds: $0), limit: $1)
            }
        }
        #expect(forgotten == [1, 1, 0])
        #expect(try await store.read { try $0.reports(selections[0]) } == [all[2]])
    }
}
