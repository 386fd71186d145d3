// What readers read, in the language of the page: the page brings the texts of its scripts
// (fathomWords) unless they are English. say("{} of {} rows", 3, 12) fills {} in order, {0} by number.
"use strict";
window.say = function (english) {
  var values = Array.prototype.slice.call(arguments, 1);
  var words = window.fathomWords || {};
  var text = Object.prototype.hasOwnProperty.call(words, english) ? words[english] : english;
  var next = 0;
  return text.replace(/\{(\d*)\}/g, function (_, number) {
    return String(values[number === "" ? next++ : Number(number)]);
  });
};
