import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// What a bounce says about its address, wherever it comes from.
@Suite struct BounceKindTests {
    private static let refusals: [(Int, String?, String, Bounce.Kind)] = [
        (550, "5.1.1", "User unknown", .permanent), (550, nil, "No such user here", .permanent),
        (550, "5.2.1", "Mailbox disabled", .permanent), (552, "5.2.2", "Mailbox full", .transient),
        (554, "5.7.1", "Relay access denied", .configuration), (554, "5.7.1", "Message contains spam", .policy),
        (552, "5.3.4", "Message too big", .transient), (554, nil, "Transaction failed", .undetermined),
        (553, "5.1.8", "Sender address rejected: Domain not found", .configuration),
        (550, "5.4.4", "Host not found", .permanent),
        (556, "5.1.10", "Domain does not accept mail (nullMX)", .permanent), (556, nil, "nullMX", .permanent),
        (450, "4.2.1", "The user is receiving mail at a rate that prevents delivery, too many messages", .transient),
        (554, nil, "Too many messages, slow down", .transient),
        (550, "5.7.28", "Unusual rate of mail from your network", .policy),
        (550, "5.7.1", "Rate limit exceeded", .policy),
    ]

    @Test(arguments: refusals)
    func aRelaysRefusal(code: Int, status: String?, text: String, kind: Bounce.Kind) {
        let bounce = Bounce(Reply(code: code, enhancedCode: status, text: text))
        #expect(bounce.kind == kind, "\(bounce.reason)")
        #expect(bounce.data["source"] == "relay" && bounce.data["replyCode"] == .int(Int64(code)))
    }

    @Test func whatWasRefusedForNowUntilTheEndIsTransient() {
        #expect(
            Bounce(Reply(code: 450, enhancedCode: "4.1.1", text: "User unknown"), isExpired: true).kind == .transient)
        #expect(Bounce(Reply(code: 451, text: "Try again"), isExpired: true).kind == .transient)
        let limit = Reply(code: 421, enhancedCode: "4.7.28", text: "Too many connections from your host")
        #expect(Bounce(limit, isExpired: true).kind == .transient)
    }

    @Test func aDiagnosticIsOneBoundedLine() {
        let text = String(repeating: "x\r\ny\u{0}", count: 4000)
        let bounce = Bounce(Reply(code: 550, text: text))
        #expect(bounce.diagnostic.count <= 500 && !bounce.diagnostic.contains("\n"))
    }
}
