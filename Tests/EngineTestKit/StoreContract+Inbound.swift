import Engine
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Mail that waits for its verdicts, and mail that became no event.
extension StoreContract {
    static func waitingMail(_ store: any Store) async throws {
        try await seed(store)
        let odd: [UInt8] = [0x20, 0xFF, 0x0A, 0x09, 0x00, 0x3A]
        let message = ReceivedMessage(
            queueID: "4Q1", clientAddress: "2001:db8::1", clientName: "[2001:db8::1]", helo: "a\"b",
            authenticatedUser: "ann", reversePath: "", recipients: ["a@example.com", "b@example.com"],
            hasFurtherRecipients: true, isInternal: true,
            headers: [HeaderField(name: "X-Odd", value: odd), HeaderField(name: "X-Empty", value: [])],
            body: [0, 1, 0xFF, 0x0D, 0x0A], isBodyTruncated: true, areHeadersTruncated: true)
        let arrivals = [PendingMail.Arrival(recipient: "a@example.com", project: "p", key: [1, 2, 0xFF])]
        let mails = [3, 1, 2].map { number in
            PendingMail(
                id: id(UInt64(number)), receivedAt: time, deadline: time.adding(seconds: Int64(number)),
                message: message, arrivals: arrivals)
        }
        try await store.write { transaction in for mail in mails { try transaction.insert(mail) } }
        let places = try await store.read { try $0.pendingMails(after: nil, limit: 2) }
        #expect(
            places == [
                .init(id: id(1), deadline: time.adding(seconds: 1)),
                .init(id: id(2), deadline: time.adding(seconds: 2)),
            ])
        #expect(try await store.read { try $0.pendingMails(after: id(2), limit: 2) }.map(\.id) == [id(3)])
        let read = try #require(try await store.read { try $0.pendingMail(id(2)) })
        let back = read.message
        #expect(read.arrivals == arrivals && read.receivedAt == time && read.deadline == time.adding(seconds: 2))
        #expect(back.headers == message.headers && back.body == message.body && back.recipients == message.recipients)
        #expect(back.helo == message.helo && back.clientName == message.clientName && back.reversePath.isEmpty)
        #expect(back.clientAddress == message.clientAddress && back.authenticatedUser == "ann")
        #expect(back.hasFurtherRecipients && back.isInternal && back.isBodyTruncated && back.areHeadersTruncated)
        let taken = try await store.write { transaction in
            [try transaction.deletePendingMail(id(2)), try transaction.deletePendingMail(id(2))]
        }
        #expect(taken == [true, false])
        #expect(try await store.read { try $0.pendingMail(id(2)) } == nil)
    }

    static func outcomes(_ store: any Store) async throws {
        try await seed(store)
        func outcome(_ second: Int64) -> InboundOutcome {
            let at = time.adding(seconds: second)
            return InboundOutcome(
                id: Identifier(at: at, random: (1, UInt64(second))), kind: .held, recipient: "a@example.com",
                sender: "x@example.org", queueID: "4Q1", at: at, detail: ["spamVerdict": "FAIL"])
        }
        let all = [outcome(1), outcome(2), outcome(3)]
        try await store.write { transaction in for item in all { try transaction.insert(item, in: project.id) } }
        #expect(
            try await store.read { try $0.inboundOutcomes(in: project.id, before: nil, limit: 9) } == all.reversed())
        let page = try await store.read { try $0.inboundOutcomes(in: project.id, before: all[2].id, limit: 1) }
        #expect(page == [all[1]])
        #expect(try await store.read { try $0.inboundOutcomes(in: id(999), before: nil, limit: 9) }.isEmpty)
        let pruned = try await store.write { transaction in
            try [1, 9].map { try transaction.pruneInboundOutcomes(before: time.adding(seconds: 3), limit: $0) }
        }
        #expect(pruned == [1, 1])
        #expect(try await store.read { try $0.inboundOutcomes(in: project.id, before: nil, limit: 9) } == [all[2]])
    }
}
