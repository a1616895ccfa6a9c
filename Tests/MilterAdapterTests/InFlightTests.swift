import MailModel
import Testing

@testable import MilterAdapter

@Suite struct InFlightTests {
    @Test func thereIsRoomForSoManyMessages() throws {
        let inFlight = InFlight(limits: InFlightLimits(messages: 2))
        var first = InFlight.Share(of: inFlight, client: "192.0.2.1")
        let second = InFlight.Share(of: inFlight, client: "192.0.2.2")
        #expect(first != nil && second != nil)
        #expect(InFlight.Share(of: inFlight, client: "192.0.2.3") == nil)
        first = nil
        let third = InFlight.Share(of: inFlight, client: "192.0.2.3")
        #expect(third != nil)
    }

    @Test func oneClientHasItsOwnRoomAndThisMachineHasNone() throws {
        let inFlight = InFlight(limits: InFlightLimits(bytes: 1000, clientBytes: 100, clientMessages: 1))
        let first = try #require(InFlight.Share(of: inFlight, client: "192.0.2.1"))
        #expect(InFlight.Share(of: inFlight, client: "192.0.2.1") == nil)
        #expect(first.grow(by: 100) && !first.grow(by: 1))
        let second = try #require(InFlight.Share(of: inFlight, client: "192.0.2.2"))
        #expect(second.grow(by: 100))
        let local = (0..<3).compactMap { _ in InFlight.Share(of: inFlight, client: "127.0.0.1") }
        #expect(local.count == 3 && local[0].grow(by: 800) && !local[0].grow(by: 1))
        #expect(inFlight.bytes == 1000)
    }

    @Test func whatAMessageHeldIsGivenBack() throws {
        let inFlight = InFlight(limits: InFlightLimits(bytes: 100, clientBytes: 100))
        for _ in 0..<3 {
            let share = try #require(InFlight.Share(of: inFlight, client: "192.0.2.1"))
            #expect(share.grow(by: 60) && !share.grow(by: 60))
            #expect(inFlight.bytes == 60)
        }
        #expect(inFlight.bytes == 0)
    }

    @Test func aMessageWithoutRoomIsPutOffWithItsNextAnswer() {
        var session = MilterSession(limits: MilterConfiguration(unixSocketPath: "unused"))
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("<in@c.example>") { _ in true }
        _ = session.data()
        session.refuse(MilterContext.busy)
        #expect(session.phase == .passing)
        #expect([1].withUnsafeBytes { session.body($0) } == .tempfail(MilterContext.busy))
    }

    /// So many may share the commit of one that waits.
    @Test func messagesThatWaitAreNotOnTheirWay() {
        let meters = MilterMeters()
        for _ in 0..<5 { #expect(meters.beginMessage()) }
        #expect(meters.messagesOnTheirWay == 5)
        meters.count { $0.messagesWaiting += 1 }
        #expect(meters.messagesOnTheirWay == 4)
        meters.count { $0.messagesWaiting -= 1 }
        meters.count { $0.messagesInFlight -= 1 }
        #expect(meters.messagesOnTheirWay == 4)
    }

    /// Mail of the MTA itself has nobody who would send it again.
    @Test func internalMailLosesTheRestOfItsBodyInstead() throws {
        var session = MilterSession(limits: MilterConfiguration(unixSocketPath: "unused"))
        session.connect(clientName: "localhost", clientAddress: "127.0.0.1")
        session.mail("", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("in@c.example") { _ in true }
        #expect([UInt8(1)].withUnsafeBytes { session.body($0) } == .continue)
        session.refuse(MilterContext.busy)
        #expect([UInt8(2)].withUnsafeBytes { session.body($0) } == .skip)
        guard case .message(let message) = session.endOfMessage(queueID: "Q") else {
            Issue.record("no message")
            return
        }
        #expect(message.body == [1] && message.isBodyTruncated)
    }
}
