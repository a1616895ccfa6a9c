import MailModel

/// The day on which somebody who is away comes back, out of what he wrote about it.
///
/// A date counts only behind a word that speaks of an end or a return: an absence names its first day too. Dates without a
/// year are the next such day.
enum ReturnDate {
    /// Words in front of the day of return, in lower case. Those of the first list name the last day of absence instead.
    private static let untilWords = [
        "until", "till", "til", "through", "thru", "bis", "bis zum", "bis einschließlich", "jusqu'au", "jusqu’au", "au",
        "hasta", "hasta el", "fino al", "sino al", "tot", "t/m", "tot en met", "até", "ate", "til og med",
        "till och med", "t.o.m.", "t.o.m", "asti", "do", "по", "до", "to", "-", "–",
    ]
    private static let returnWords = [
        "return on", "returning on", "returning", "return", "be back on", "back on", "back in the office on", "back",
        "again on", "again from", "from", "as of", "available again", "available on", "reachable again", "resume on",
        "in the office on", "office on",
        "wieder am", "zurück am", "zurück", "ab", "ab dem", "wieder ab", "wieder im büro am", "wieder", "am",
        "de retour le", "retour le", "à partir du", "le", "a partir del", "regreso el", "vuelvo el", "regresaré el",
        "de vuelta el", "el", "rientro il", "rientrerò il", "ritorno il", "dal", "il", "terug op", "terug", "vanaf",
        "weer op", "weer", "op", "volto em", "retorno em", "de volta em", "a partir de", "åter", "tillbaka", "tilbake",
        "tilbage", "takaisin", "od", "с",
    ]

    /// Words that make a sentence one about coming back.
    private static let signs: Phrases = [
        "back", "return", "until", "till", "through", "again", "resume", "available", "away", "leave", "vacation",
        "holiday", "office", "absent", "wieder", "zurück", "bis", "abwesend", "urlaub", "erreichbar", "retour", "jusqu",
        "absence", "congé", "hasta", "regres", "vuelv", "ausente", "fino", "sino", "rientr", "ritorn", "assente",
        "terug", "tot", "afwezig", "até", "volto", "retorn", "ausên", "tillbaka", "åter", "frånv", "tilbage", "tilbake",
        "fravær", "takaisin", "poissa", "asti", "отсутств", "вернусь", "отпуск",
    ]

    /// Nil when no such day is stated, or only one more than two years off.
    static func find(in text: String, after today: CalendarDate) -> CalendarDate? {
        for line in sentences(text.lowercased()) where signs.isFound(in: line) {
            let words = line.split { " \t\n,;()".contains($0) }.map(String.init)
            var latest: CalendarDate?
            var isReturn = false
            for index in words.indices {
                guard let found = DateWords.read(words, at: index, today: today), found.date >= today else { continue }
                let before = words[max(0, index - 4)..<index].joined(separator: " ")
                let weekday = withoutWeekday(before)
                let comesBack = returnWords.contains { weekday == $0 || weekday.hasSuffix(" " + $0) }
                let isUntil = untilWords.contains { weekday == $0 || weekday.hasSuffix(" " + $0) }
                guard comesBack || isUntil else { continue }
                if isReturn, !comesBack { continue }
                if latest.map({ found.date > $0 }) ?? true { latest = found.date }
                if comesBack, line.contains("back") || line.contains("return") { isReturn = true }
            }
            if let latest, latest.year - today.year <= 2 { return latest }
        }
        return nil
    }

    private static func sentences(_ text: String) -> [String] {
        var result: [String] = []
        var current = ""
        var previous: Character = " "
        for character in text {
            // A dot ends a sentence only in front of a blank and behind a letter: `12. 3.` is a date.
            if (character == " " || character == "\n") && (previous == "." || previous == "!" || previous == "?") {
                let ending = current.dropLast().last
                if ending?.isLetter == true, (current.split(separator: " ").last?.count ?? 0) > 4 {
                    result.append(current)
                    current = ""
                }
            }
            current.append(character == "\n" ? " " : character)
            previous = character
            if current.utf8.count > 600 {
                result.append(current)
                current = ""
            }
        }
        result.append(current)
        return result
    }

    private static let weekdays: Set<String> = [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "mon", "tue", "wed", "thu", "fri",
        "sat", "sun", "the", "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag", "dem",
        "den", "zum", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lunes", "martes",
        "miércoles", "jueves", "viernes", "sábado", "domingo", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì",
        "sabato", "domenica", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag",
        "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "einschließlich", "and",
        "including", "jour", "day", "den", "mo", "di", "mi", "do", "fr",
    ]

    private static func withoutWeekday(_ text: String) -> String {
        var words = text.split(separator: " ")
        while words.count > 1, let last = words.last, weekdays.contains(String(last.filter { $0 != "." })) {
            words.removeLast()
        }
        return words.joined(separator: " ")
    }
}

/// Dates as people write them: `12 January 2026`, `January 12th`, `12.01.2026`, `12.1.`, `2026-01-12`, `12/01/2026`.
enum DateWords {
    /// The date that begins with the word at `index`.
    static func read(_ words: [String], at index: Int, today: CalendarDate) -> (date: CalendarDate, count: Int)? {
        let word = words[index].trimmed(of: ".:!?")
        if let date = numeric(words[index], today: today) { return (date, 1) }
        let following = index + 1 < words.count ? words[index + 1] : ""
        if let day = ordinal(word) {
            var next = index + 1
            if ["of", "de", "di"].contains(following) { next += 1 }
            guard next < words.count, let month = month(words[next].trimmed(of: ".:!?")) else { return nil }
            let year = next + 1 < words.count ? year(words[next + 1]) : ["de", "del"].contains(words[next]) ? nil : nil
            return complete(year: year, month: month, day: day, today: today).map { ($0, next - index + 1) }
        }
        if let month = month(word), let day = ordinal(following.trimmed(of: ".:!?")) {
            let year = index + 2 < words.count ? year(words[index + 2]) : nil
            return complete(year: year, month: month, day: day, today: today).map { ($0, 2) }
        }
        return nil
    }

    private static func numeric(_ word: String, today: CalendarDate) -> CalendarDate? {
        let word = word.trimmed(of: ":!?")
        for separator: Character in ["-", ".", "/"] {
            let word = separator == "." ? word : word.trimmed(of: ".")
            let fields = word.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
            let numbers = fields.filter { !$0.isEmpty }.compactMap { Int($0) }
            guard numbers.count == fields.filter({ !$0.isEmpty }).count, numbers.count >= 2, numbers.count <= 3 else {
                continue
            }
            if numbers.count == 2 {
                // `12.1.` is a date, `12.1` a number, `12/1` either.
                guard separator == ".", word.hasSuffix(".") else { continue }
                return complete(year: nil, month: numbers[1], day: numbers[0], today: today)
            }
            if numbers[0] > 31 { return CalendarDate(year: numbers[0], month: numbers[1], day: numbers[2]) }
            let year = numbers[2] < 100 ? 2000 + numbers[2] : numbers[2]
            // With slashes the month stands first in one country and second in the others; only a number over 12 tells.
            if separator == "/", numbers[1] > 12 { return CalendarDate(year: year, month: numbers[0], day: numbers[1]) }
            return CalendarDate(year: year, month: numbers[1], day: numbers[0])
        }
        return nil
    }

    private static func ordinal(_ word: String) -> Int? {
        var digits = word[...]
        for suffix in ["st", "nd", "rd", "th", "er", "º", "°", "."] where digits.hasSuffix(suffix) {
            digits = digits.dropLast(suffix.count)
        }
        guard let day = Int(digits), (1...31).contains(day), digits.count <= 2 else { return nil }
        return day
    }

    private static func year(_ word: String) -> Int? {
        let digits = word.trimmed(of: ".:!?")
        guard digits.count == 4, let year = Int(digits), (1990...2100).contains(year) else { return nil }
        return year
    }

    private static func complete(year: Int?, month: Int, day: Int, today: CalendarDate) -> CalendarDate? {
        if let year { return CalendarDate(year: year, month: month, day: day) }
        guard let same = CalendarDate(year: today.year, month: month, day: day) else { return nil }
        return same >= today ? same : CalendarDate(year: today.year + 1, month: month, day: day)
    }

    private static func month(_ word: String) -> Int? {
        guard word.utf8.count >= 3 else { return nil }
        return months.firstIndex { $0.contains(word) }.map { $0 + 1 }
    }

    private static let months: [Set<String>] = [
        [
            "january", "jan", "januar", "jänner", "janvier", "enero", "gennaio", "januari", "janeiro", "tammikuuta",
            "января", "stycznia",
        ],
        [
            "february", "feb", "februar", "février", "fevrier", "febrero", "febbraio", "februari", "fevereiro",
            "helmikuuta", "февраля", "lutego",
        ],
        ["march", "mar", "märz", "maerz", "mrz", "mars", "marzo", "maart", "março", "maaliskuuta", "марта", "marca"],
        ["april", "apr", "avril", "abril", "aprile", "huhtikuuta", "апреля", "kwietnia"],
        ["may", "mai", "mayo", "maggio", "mei", "maj", "maio", "toukokuuta", "мая", "maja"],
        ["june", "jun", "juni", "juin", "junio", "giugno", "junho", "kesäkuuta", "июня", "czerwca"],
        ["july", "jul", "juli", "juillet", "julio", "luglio", "julho", "heinäkuuta", "июля", "lipca"],
        ["august", "aug", "août", "aout", "agosto", "augustus", "augusti", "elokuuta", "августа", "sierpnia"],
        [
            "september", "sep", "sept", "septembre", "septiembre", "settembre", "setembro", "syyskuuta", "сентября",
            "września",
        ],
        [
            "october", "oct", "okt", "oktober", "octobre", "octubre", "ottobre", "outubro", "lokakuuta", "октября",
            "października",
        ],
        ["november", "nov", "novembre", "noviembre", "novembro", "marraskuuta", "ноября", "listopada"],
        [
            "december", "dec", "dez", "dezember", "décembre", "decembre", "diciembre", "dicembre", "dezembro",
            "joulukuuta", "декабря", "grudnia",
        ],
    ]
}

extension String {
    /// Without any of these characters at both ends.
    fileprivate func trimmed(of characters: String) -> String {
        var rest = self[...]
        while let first = rest.first, characters.contains(first) { rest = rest.dropFirst() }
        while let last = rest.last, characters.contains(last) { rest = rest.dropLast() }
        return String(rest)
    }
}
