import MailModel
import Testing

@testable import Engine

@Suite struct SPFTests {
    /// The zone of RFC 7208 appendix A, and records of our own.
    private static let zone = """
        example.com A 192.0.2.10
        example.com A 192.0.2.11
        example.com MX 10 mail-a.example.com
        example.com MX 20 mail-b.example.com
        mail-a.example.com A 192.0.2.129
        mail-b.example.com A 192.0.2.130
        example.org MX 10 mail-c.example.org
        mail-c.example.org A 192.0.2.140
        65.2.0.192.in-addr.arpa PTR amy.example.com
        amy.example.com A 192.0.2.65
        66.2.0.192.in-addr.arpa PTR bob.example.com
        bob.example.com A 192.0.2.66
        10.2.0.192.in-addr.arpa PTR example.com
        10.0.0.10.in-addr.arpa PTR example.com
        192.0.2.65.list.example.com A 127.0.0.2
        six.example.com AAAA 2001:db8::1
        pass.example.com TXT v=spf1 +all
        fail.example.com TXT v=spf1 -all
        empty.example.com TXT other
        two.example.com TXT v=spf1 -all
        two.example.com TXT v=spf1 +all
        silent.example.com TXT !
        silent.example.com A !
        """

    /// What the record says of the address.
    private static func result(_ record: String, _ address: String, more: String = "") async throws -> String {
        let names = KnownNames("\(zone)\ntest.example.com TXT \(record)\n\(more)")
        var evaluation = SPFEvaluation(of: try #require(IPAddress(address)), sender: "test.example.com", names: names)
        return await evaluation.run().rawValue
    }

    @Test(arguments: [
        ("v=spf1 +all", "192.0.2.129", "pass"), ("v=spf1 a:example.com -all", "192.0.2.10", "pass"),
        ("v=spf1 a:example.com -all", "192.0.2.12", "fail"), ("v=spf1 a:example.com/24 -all", "192.0.2.12", "pass"),
        ("v=spf1 a:example.org -all", "192.0.2.10", "fail"), ("v=spf1 mx:example.com -all", "192.0.2.130", "pass"),
        ("v=spf1 mx:example.com -all", "192.0.2.131", "fail"),
        ("v=spf1 mx:example.com/30 mx:example.org/30 ~all", "192.0.2.131", "pass"),
        ("v=spf1 mx:example.com/30 mx:example.org/30 ~all", "192.0.2.143", "pass"),
        ("v=spf1 mx:example.com/30 mx:example.org/30 ~all", "192.0.2.145", "softfail"),
        ("v=spf1 ptr:example.com -all", "192.0.2.65", "pass"), ("v=spf1 ptr:example.com -all", "192.0.2.140", "fail"),
        ("v=spf1 ptr:example.com -all", "10.0.0.10", "fail"), ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.140", "pass"),
        ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "fail"),
        ("v=spf1 exists:%{i}.list.example.com ?all", "192.0.2.65", "pass"),
        ("v=spf1 exists:%{i}.list.example.com ?all", "192.0.2.66", "neutral"),
        ("v=spf1 a:six.example.com -all", "2001:db8::1", "pass"),
        ("v=spf1 a:six.example.com//64 -all", "2001:db8::2", "pass"),
        ("v=spf1 a:six.example.com -all", "192.0.2.1", "fail"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", "pass"), ("v=spf1", "192.0.2.1", "neutral"),
        ("v=spf1 include:pass.example.com -all", "192.0.2.1", "pass"),
        ("v=spf1 ?include:pass.example.com -all", "192.0.2.1", "neutral"),
        ("v=spf1 include:fail.example.com ~all", "192.0.2.1", "softfail"),
        ("v=spf1 include:empty.example.com +all", "192.0.2.1", "permerror"),
        ("v=spf1 include:two.example.com +all", "192.0.2.1", "permerror"),
        ("v=spf1 include:silent.example.com +all", "192.0.2.1", "temperror"),
        ("v=spf1 a:silent.example.com +all", "192.0.2.1", "temperror"),
        ("v=spf1 redirect=pass.example.com", "192.0.2.1", "pass"),
        ("v=spf1 redirect=empty.example.com", "192.0.2.1", "permerror"),
        ("v=spf1 include:test.example.com -all", "192.0.2.1", "permerror"),
        ("v=spf1 oops -all", "192.0.2.1", "permerror"),
        ("v=spf1 a:gone1.example.com a:gone2.example.com +all", "192.0.2.1", "pass"),
        ("v=spf1 a:gone1.example.com a:gone2.example.com a:gone3.example.com +all", "192.0.2.1", "permerror"),
        ("not spf", "192.0.2.1", "none"),
    ])
    func aRecordDecidesAboutAnAddress(_ record: String, _ address: String, _ expected: String) async throws {
        #expect(try await Self.result(record, address) == expected, "\(record)")
    }

    @Test func tenLookupsAreAllowedAndElevenAreNot() async throws {
        let ten = Array(repeating: "a:amy.example.com", count: 10).joined(separator: " ")
        #expect(try await Self.result("v=spf1 \(ten) +all", "192.0.2.1") == "pass")
        #expect(try await Self.result("v=spf1 \(ten) mx:example.com +all", "192.0.2.1") == "permerror")
        // What fits before the eleventh counts.
        #expect(try await Self.result("v=spf1 ip4:192.0.2.1 \(ten) mx:example.com -all", "192.0.2.1") == "pass")
        // Those of included records are counted with them.
        #expect(
            try await Self.result(
                "v=spf1 include:deep.example.com +all", "192.0.2.1", more: "deep.example.com TXT v=spf1 \(ten) +all")
                == "permerror")
    }

    @Test func moreThanTenServersOfOneDomainAreTooMany() async throws {
        let many = (0..<11).map { "many.example.com MX \($0) mail-a.example.com" }.joined(separator: "\n")
        #expect(try await Self.result("v=spf1 mx:many.example.com +all", "192.0.2.1", more: many) == "permerror")
    }

    @Test func aSurveyCountsWhatNobodyFitsWouldAskFor() async throws {
        let names = KnownNames(
            """
            \(Self.zone)
            a.example TXT v=spf1 include:b.example mx a:gone.example.com exists:%{i}.x.example.com ptr redirect=c.example
            b.example TXT v=spf1 a:amy.example.com include:empty.example.com ~all
            c.example TXT v=spf1 include:a.example -all
            a.example MX 10 amy.example.com
            """)
        var survey = SPFSurvey(names: names)
        await survey.walk(
            try SPFRecord(
                "v=spf1 include:b.example mx a:gone.example.com exists:%{i}.x.example.com ptr redirect=c.example"),
            of: "a.example")
        // include, its a and include, mx, a, exists, ptr, redirect, its include.
        #expect(survey.lookups.count == 9, "\(survey.lookups)")
        #expect(survey.voids == ["`a:gone.example.com` of a.example"])
        #expect(survey.errors.contains { $0.contains("leads to no SPF record") }, "\(survey.errors)")
        #expect(survey.errors.contains { $0.contains("leads back to a.example") }, "\(survey.errors)")
        #expect(survey.warnings.contains { $0.contains("`ptr` is slow") })
        #expect(await names.questions.allSatisfy { !$0.contains("%") })
    }

    @Test func aSurveyOfATreeWithoutEndEnds() async throws {
        let wide = Array(repeating: "include:wide.example", count: 9).joined(separator: " ")
        var zone = ""
        for level in 0..<9 {
            let next = wide.replacing("wide", with: "wide\(level + 1)")
            zone += "wide\(level).example TXT v=spf1 \(next) -all\n"
        }
        let names = KnownNames(zone)
        var survey = SPFSurvey(names: names)
        await survey.walk(try SPFRecord("v=spf1 \(wide.replacing("wide", with: "wide0")) -all"), of: "top.example")
        #expect(survey.lookups.count > 10 && survey.lookups.count <= 60)
    }
}
