import { $ } from '../shared/page.js'

/** Puts a slide on the page. */
export function showSlide({ slide, of, title, body, code }) {
  $('title').textContent = title
  $('body').textContent = body
  $('code').textContent = code ?? ''
  $('code').hidden = code === undefined
  $('number').textContent = `${slide + 1} / ${of}`
}

/** Which talk this is: `?talk=…`, so that there may be several at a time. */
export const talk = new URLSearchParams(location.search).get('talk') ?? 'main-stage'

for (const link of document.querySelectorAll('a[target]')) link.search = location.search
