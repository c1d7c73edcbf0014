// Texts by key in the reader's language, from the catalogues that stand in the page as data.

const PERSIAN_DIGITS = "۰۱۲۳۴۵۶۷۸۹";

export class Words {
  // `catalogues`: language -> key -> text, or {what, do} for a Fault.
  constructor(catalogues, language) {
    this.catalogues = catalogues;
    this.language = language in catalogues ? language : Object.keys(catalogues)[0];
  }

  get direction() {
    return this.language === "fa" ? "rtl" : "ltr";
  }

  say(key, fields = {}) {
    return this.#filled(this.catalogues[this.language][key] ?? key, fields);
  }

  // The two lines of a Fault; of anything else, which is our own mistake, what it says.
  lines(fault) {
    const entry = this.catalogues[this.language][fault.key] ?? { what: String(fault), do: "" };
    return [this.#filled(entry.what, fault.fields), this.#filled(entry.do, fault.fields)];
  }

  digits(value) {
    const text = String(value);
    return this.language === "fa" ? text.replace(/\d/g, (digit) => PERSIAN_DIGITS[digit]) : text;
  }

  // Hours, minutes and seconds.
  clock(milliseconds) {
    const seconds = Math.floor(milliseconds / 1000);
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    return this.digits(hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`);
  }

  // The day and time of a moment (UTC ms) in Tehran.
  moment(utcMs) {
    const locale = this.language === "fa" ? "fa-IR-u-ca-persian" : "en-GB";
    const style = { dateStyle: "medium", timeStyle: "short", timeZone: "Asia/Tehran" };
    return new Intl.DateTimeFormat(locale, style).format(utcMs);
  }

  #filled(text, fields) {
    return text.replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? "");
  }
}
