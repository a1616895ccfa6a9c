import Foundation
import MailFormat
import MailModel
import Testing

/// Reports about mail to addresses outside ASCII (RFC 6533).
@Suite struct InternationalReportTests {
    private static let address = "δοκιμή@xn--bcher-kva.example"

    private func report(
        _ fields: String, status: String = "message/global-delivery-status",
        returned: String = "message/global-headers",
        header: String = "To: <\(address)>\r\nMessage-ID: <m1@example.com>", isEncoded: Bool = false
    ) throws -> DeliveryReport {
        func part(_ type: String, _ content: String) -> String {
            guard isEncoded else {
                return "--b\r\nContent-Type: \(type)\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\(content)\r\n"
            }
            let text = Data(content.utf8).base64EncodedString()
            return "--b\r\nContent-Type: \(type)\r\nContent-Transfer-Encoding: base64\r\n\r\n\(text)\r\n"
        }
        let body =
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYour mail could not be delivered.\r\n"
            + part(status, "Reporting-MTA: dns; mx.example.net\r\n\r\n\(fields)\r\n")
            + part(returned, header + "\r\n\r\n") + "--b--\r\n"
        let message = ReceivedMessage(
            headers: [
                HeaderField("From", "MAILER-DAEMON@mx.example.org"), HeaderField("Subject", "Undelivered Mail"),
                HeaderField("Content-Type", "multipart/report; report-type=delivery-status; boundary=b"),
            ], body: Array(body.utf8))
        guard case .deliveryReport(let report) = MailRecognizer.recognize(message).mailClass else {
            throw CocoaError(.fileReadCorruptFile)
        }
        return report
    }

    @Test(arguments: [false, true])
    func addressesOfTheTypeUTF8AreRead(isEncoded: Bool) throws {
        let report = try report(
            "Final-Recipient: utf-8; \(Self.address)\r\nOriginal-Recipient: utf-8;δοκιμή@bücher.example\r\n"
                + "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <\(Self.address)>: User unknown",
            isEncoded: isEncoded)
        let recipient = try #require(report.recipients.first)
        #expect(recipient.address == Self.address && recipient.originalAddress == "δοκιμή@bücher.example")
        #expect(recipient.isHard && recipient.reason == .userUnknown && report.recipients.count == 1)
        #expect(report.original?.messageID == "m1@example.com")
        #expect(report.original?.header("To").map(HeaderAddresses.parse)?.first?.description == Self.address)
    }

    @Test(arguments: [
        (#"utf-8; \x{3B4}\x{3bf}\x{003BA}\x{3B9}\x{3BC}\x{3AE}@example.org"#, "δοκιμή@example.org"),
        (#"UTF-8;r\x{E9}ne@example.org"#, "réne@example.org"),
        ("utf-8; δοκιμή@example.org", "δοκιμή@example.org"),
        ("rfc822; bob@example.org", "bob@example.org"),
    ])
    func reportsInASCIIHaveNumbersForLetters(field: String, address: String) throws {
        let report = try report(
            "Final-Recipient: \(field)\r\nAction: failed\r\nStatus: 5.1.1", status: "message/delivery-status",
            returned: "text/rfc822-headers", header: "Message-ID: <m1@example.com>")
        #expect(report.recipients.map(\.address) == [address])
    }

    /// Numbers of what is no letter stay as they are, and of what would end a line or a field nothing is made.
    @Test(arguments: [
        #"\x{}"#, #"\x{D800}"#, #"\x{110000}"#, #"\x{0A"#, #"\x{zz}"#, #"\x{00000A}"#, #"\x{85}"#, #"\x{2028}"#,
    ])
    func whatIsNoLetterMakesNone(escape: String) throws {
        let report = try report("Final-Recipient: utf-8; a\(escape)b@example.org\r\nAction: failed\r\nStatus: 5.1.1")
        for address in report.recipients.map(\.address) {
            #expect(address.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\u{2028}" })
        }
    }

    /// What Postfix writes when the next server does not offer it: nothing is said of the address.
    @Test func aServerOnTheWayWithoutSMTPUTF8SaysNothingOfTheAddress() throws {
        let report = try report(
            "Final-Recipient: utf-8; \(Self.address)\r\nAction: failed\r\nStatus: 5.6.7\r\n"
                + "Diagnostic-Code: X-Postfix; SMTPUTF8 is required, but was not offered by host mx.example.org[192.0.2.1]"
        )
        let recipient = try #require(report.recipients.first)
        #expect(!recipient.isHard && recipient.reason.kind == .policy, "\(recipient.reason)")
        #expect(recipient.status == EnhancedStatus(5, 6, 7))
    }
}
