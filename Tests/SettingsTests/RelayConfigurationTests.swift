import Testing

@testable import Settings

@Suite struct RelayConfigurationTests {
    @Test func relaysAndPacesArriveTyped() throws {
        let configuration = try Configuration.parse(
            """
            smtp: {max_lifetime: 2d}
            relays:
              - {name: main, host: 127.0.0.1, connections: 8, weight: 3}
              - name: spare
                host: Relay.Example
                port: 465
                tls: implicit
                backup: true
                sender_domains: [Shop.Example]
                projects: [news, shop]
            pacing:
              - {domains: ["*"], connections: 4}
              - {domains: [GMail.com, googlemail.com], rate: 600/m}
              - {relays: [main], per_day: 5000, warm_up: [50, 50, 100], warm_up_from: 2027-01-11}
              - {projects: [news], rate: 5000/h}
              - {senders: [News@Example.com, example.org], rate: 1/s}
              - {mail_servers: ["*.Google.com", mx.example.net], connections: 8}
            """)
        #expect(configuration.relays.map(\.name) == ["main", "spare"])
        let (main, spare) = (configuration.relays[0], configuration.relays[1])
        #expect(main.smtp.workers == 8 && main.weight == 3 && !main.isBackup && main.smtp.port == 25)
        #expect(main.smtp.maxLifetime == .seconds(2 * 86_400))
        #expect(spare.smtp.host == "relay.example" && spare.smtp.tls == .implicit && spare.isBackup)
        #expect(spare.senderDomains == ["shop.example"] && spare.projects == ["news", "shop"])
        let paces = configuration.pacing
        #expect(
            paces.map(\.subject) == [
                .eachDomain, .domains(["gmail.com", "googlemail.com"]), .relays(["main"]), .projects(["news"]),
                .senders(["news@example.com", "example.org"]), .mailServers(["*.google.com", "mx.example.net"]),
            ])
        #expect(paces[0].connections == 4 && paces[0].rate == nil && paces[0].perDay == nil)
        #expect(paces[1].rate == .init(count: 600, seconds: 60))
        #expect(paces[2].perDay == 5000 && paces[2].warmUp == [50, 50, 100] && paces[2].warmUpFrom == 20_829)
    }

    @Test func withoutRelaysTheOneOfSMTPCanBePaced() throws {
        let configuration = try Configuration.parse("pacing: [{relays: [smtp], rate: 20/s}]")
        #expect(configuration.relays.isEmpty && configuration.pacing.count == 1)
    }

    @Test(arguments: [
        ("relays: [{host: a.example}]", "has no name"), ("relays: [{name: a}]", "has no host"),
        ("relays: [{name: a b, host: a.example}]", "is no name of a relay"),
        ("relays: [{name: a, host: 127.0.0.1}, {name: a, host: 127.0.0.2}]", "has the name of an earlier relay"),
        ("relays: [{name: a, host: 127.0.0.1, backup: true}]", "every relay is a backup"),
        ("relays: [{name: a, host: 127.0.0.1, username: u}]", "has no password"),
        ("relays: [{name: a, host: 127.0.0.1, password_file: /nowhere}]", "has no user name"),
        ("relays: [{name: a, host: 127.0.0.1, connections: 21}]", "is out of range"),
        ("relays: [{name: a, host: 127.0.0.1, wieght: 2}]", "is no key of"),
        ("pacing: [{rate: 1/s}]", "does not say for what"), ("pacing: [{domains: [a.example]}]", "limits nothing"),
        ("pacing: [{domains: [a.example], projects: [p], rate: 1/s}]", "has both"),
        ("pacing: [{domains: [a.example, \"*\"], rate: 1/s}]", "lists names beside"),
        ("pacing: [{domains: [], rate: 1/s}]", "lists nothing"),
        ("pacing: [{mail_servers: [\"*\"], rate: 1/s}]", "`*` is no domain name"),
        ("pacing: [{mail_servers: [\"*.\"], rate: 1/s}]", "is "),
        ("pacing: [{mail_servers: [\"a b\"], rate: 1/s}]", "`a b` is no domain name"),
        ("pacing: [{mail_servers: [a.example], domains: [b.example], rate: 1/s}]", "has both"),
        ("pacing: [{domains: [a.example], rate: 1}]", "is no rate"),
        ("pacing: [{domains: [a.example], rate: 0/s}]", "is no rate"),
        ("pacing: [{domains: [a.example], rate: 5/w}]", "is no rate"),
        ("pacing: [{relays: [other], rate: 1/s}]", "there is no relay other"),
        ("pacing: [{domains: [a.example], warm_up: [5]}]", "needs both"),
        ("pacing: [{domains: [a.example], warm_up_from: 2027-01-01, rate: 1/s}]", "needs both"),
        ("pacing: [{domains: [a.example], warm_up: [0], warm_up_from: 2027-01-01}]", "is no whole number from 1"),
        ("pacing: [{domains: [a.example], warm_up: [5], warm_up_from: 2027-02-29}]", "is no date"),
    ])
    func whatCannotWorkIsRefused(text: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse(text) }
        let found = error?.findings.map(\.message) ?? []
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }

    @Test(arguments: [
        ("smtp: {host: a.example, tls: required}\nrelays: [{name: a, host: 127.0.0.1}]", "is not looked at"),
        ("relays: [{name: a, host: b.example}]", "travels to b.example in clear"),
        ("relays: [{name: a, host: 127.0.0.1, projects: [p]}]", "every relay is for certain"),
    ])
    func whatIsProbablyNotMeantIsSaid(text: String, message: String) throws {
        let found = try Configuration.parse(text).warnings.map(\.message)
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }

    @Test func daysAreCounted() {
        #expect(DayText.parse("1970-01-01") == 0 && DayText.parse("1970-03-01") == 59)
        #expect(DayText.parse("2000-02-29") == 11_016 && DayText.parse("2026-11-26") == 20_783)
        #expect(
            DayText.parse("2026-13-01") == nil && DayText.parse("26-1-1") == nil && DayText.parse("1900-02-29") == nil)
    }
}
