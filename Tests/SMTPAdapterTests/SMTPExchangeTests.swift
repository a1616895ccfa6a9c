import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct SMTPExchangeTests {
    typealias Phase = SMTPExchange.Phase

    struct Row: Sendable {
        var tls = SMTPConfiguration.TLS.none
        var needsLogin = false
        var replies: [String]
        var phase: Phase
        var objection: SMTPExchange.Objection?
    }

    static let rows: [Row] = [
        Row(replies: [], phase: .greeting),
        Row(replies: ["220 hi"], phase: .hello),
        Row(replies: ["554 no"], phase: .decided),
        Row(replies: ["220 hi", "502 what"], phase: .hello),
        Row(replies: ["220 hi", "502 what", "250 hello"], phase: .transaction),
        Row(replies: ["220 hi", "250 hello"], phase: .transaction),
        Row(replies: ["220 hi", "250-hello", "250 STARTTLS"], phase: .transaction),
        Row(tls: .opportunistic, replies: ["220 hi", "250-hello", "250 STARTTLS"], phase: .startTLS),
        Row(tls: .opportunistic, replies: ["220 hi", "250-hello", "250 STARTTLS", "220 go"], phase: .hello),
        Row(tls: .opportunistic, replies: ["220 hi", "250-hello", "250 STARTTLS", "454 no"], phase: .transaction),
        Row(
            tls: .required, replies: ["220 hi", "250-hello", "250 STARTTLS", "220 go", "250-hello", "250 STARTTLS"],
            phase: .transaction),
        Row(tls: .implicit, replies: ["220 hi", "250-hello", "250 STARTTLS"], phase: .transaction),
        Row(needsLogin: true, replies: ["220 hi", "250-hello", "250 AUTH PLAIN"], phase: .login),
        Row(needsLogin: true, replies: ["220 hi", "250-hello", "250 AUTH PLAIN", "334 "], phase: .login),
        Row(needsLogin: true, replies: ["220 hi", "250-hello", "250 AUTH PLAIN", "535 no"], phase: .login),
        Row(needsLogin: true, replies: ["220 hi", "250-hello", "250 AUTH PLAIN", "235 ok"], phase: .transaction),
        Row(needsLogin: true, replies: ["220 hi", "250 hello"], phase: .hello, objection: .loginNotOffered),
        // libcurl knows neither spelling, so it would send without a login.
        Row(
            needsLogin: true, replies: ["220 hi", "250-hello", "250 AUTH=PLAIN"], phase: .hello,
            objection: .loginNotOffered),
        Row(
            needsLogin: true, replies: ["220 hi", "250-hello", "250 auth PLAIN"], phase: .hello,
            objection: .loginNotOffered),
        Row(
            needsLogin: true, replies: ["220 hi", "502 what", "250 hello"], phase: .hello, objection: .loginNotOffered),
        Row(
            tls: .required, needsLogin: true,
            replies: ["220 hi", "250-hello", "250-AUTH PLAIN", "250 STARTTLS", "220 go", "250 hello"],
            phase: .hello, objection: .loginNotOffered),
        Row(tls: .required, needsLogin: true, replies: ["220 hi", "250-hello", "250 AUTH PLAIN"], phase: .hello),
        Row(replies: ["220 hi", "250 hello", "250 ok", "550 no"], phase: .decided),
        Row(replies: ["220 hi", "250 hello", "250 ok", "250 ok", "354 go"], phase: .content),
        Row(replies: ["220 hi", "250 hello", "250 ok", "250 ok", "354 go", "250 ok"], phase: .decided),
        Row(replies: ["220 hi", "250 hello", "250 ok", "250 ok", "354 go", "451 no"], phase: .decided),
    ]

    private func exchange(_ row: Row, isReused: Bool = false) -> (SMTPExchange, isWelcome: Bool) {
        var exchange = SMTPExchange(tls: row.tls, needsLogin: row.needsLogin)
        if !isReused { exchange.connectionOpened() }
        var isWelcome = true
        for reply in row.replies { isWelcome = exchange.take(line: Array("\(reply)\r\n".utf8)) }
        return (exchange, isWelcome)
    }

    @Test(arguments: rows)
    func repliesLeadToThePhaseInTheTable(row: Row) {
        let (exchange, isWelcome) = exchange(row)
        #expect(exchange.phase == row.phase)
        #expect(exchange.objection == row.objection)
        #expect(isWelcome == (row.objection == nil))
        #expect(exchange.isFresh)
    }

    @Test func everyPhaseIsInTheTable() {
        #expect(
            Set(Self.rows.map(\.phase)) == [.greeting, .hello, .startTLS, .login, .transaction, .content, .decided])
    }

    @Test func aReusedConnectionStartsWithTheTransaction() {
        let (exchange, _) = exchange(
            Row(needsLogin: true, replies: ["250 ok", "250 ok", "354 go"], phase: .content), isReused: true)
        #expect(exchange.phase == .content)
        #expect(exchange.isContentOpen)
        #expect(!exchange.isFresh)
    }

    @Test func theAnswerToQuitDoesNotReplaceTheRefusal() {
        let (exchange, _) = exchange(
            Row(needsLogin: true, replies: ["220 hi", "250-a", "250 AUTH PLAIN", "535 no", "221 bye"], phase: .login))
        #expect(exchange.reply?.code == 535)
    }

    @Test func theFirstRefusalStays() {
        let (exchange, _) = exchange(Row(replies: ["250 ok", "550 no", "500 what"], phase: .decided), isReused: true)
        #expect(exchange.reply?.code == 550)
    }
}
