(function(){
"use strict";
var d=document,DAY=86400;d.documentElement.classList.add("js");
function el(tag,className,text){var e=d.createElement(tag);if(className)e.className=className;if(text!==undefined)e.textContent=text;return e}
function number(n){return n===null||n===undefined?"–":Number(n).toLocaleString("en-US")}
function each(list,f){[].forEach.call(list,f)}

// Tables: a click on a head sorts the rows of each group; a group's own row stays first.
function value(row,i){var t=row.cells[i].textContent.trim(),n=parseFloat(t.replace(/,/g,""));return i?(isNaN(n)?-1:n):t.toLowerCase()}
each(d.querySelectorAll("table.sortable"),function(table){
var heads=[].slice.call(table.tHead.rows[0].cells);
heads.forEach(function(th,i){
var b=el("button","",th.textContent);b.type="button";th.setAttribute("data-name",th.textContent);th.textContent="";th.appendChild(b);
b.addEventListener("click",function(){
var was=th.getAttribute("aria-sort"),down=was?was==="ascending":i>0;
heads.forEach(function(h){h.removeAttribute("aria-sort")});th.setAttribute("aria-sort",down?"descending":"ascending");
each(table.tBodies,function(body){
[].slice.call(body.rows).filter(function(r){return!r.classList.contains("group")}).sort(function(x,y){var a=value(x,i),b=value(y,i);return(a<b?-1:a>b?1:0)*(down?-1:1)}).forEach(function(r){body.appendChild(r)})})})})});

// Ages of data.
function age(){
var e=d.querySelector("time.as-of");if(!e)return;
var m=Math.round((Date.now()-new Date(e.dateTime))/6e4),s=d.querySelector(".ago")||e.insertAdjacentElement("afterend",el("span","ago"));
if(m>=0)s.textContent=" ("+(m<60?m+" min":m<2880?Math.round(m/60)+" h":Math.round(m/1440)+" days")+" ago)"}
age();setInterval(age,60000);
each(d.querySelectorAll("[data-live]"),function(e){if(Date.now()-new Date(e.getAttribute("data-age"))>36e5)e.classList.add("old")});
each(d.querySelectorAll('a[href^="https:"]'),function(a){a.target="_blank"});

// Explore: filters, which stand in the address, pages, CSV.
var source=d.getElementById("rows"),PAGE=10,state={},rows=[],asOf=0,collected=0;
var NAMES=["q","action","label","category","tweet","min","sort","new"],FACETS=["action","label","category","tweet"];
function field(name){return d.getElementById("f-"+name)}
function unpack(){
var data=JSON.parse(source.textContent);asOf=Number(source.getAttribute("data-as-of"));collected=Number(source.getAttribute("data-collected"));
rows=data.rows.map(function(r){var t=data.tweets[r[9]];return{
name:r[0],username:r[1],id:r[2],action:data.actions[r[3]],score:r[4],followers:r[5],at:r[6],backfill:!!(r[7]&1),ours:!!(r[7]&2),verified:!!(r[7]&4),
labels:r[8].map(function(n){return data.labels[n]}),tweet:t[0],author:t[1],category:t[2],post:r[10],text:r[11],by:r[12].map(function(n){return"@"+data.followers[n]}),of:r[13]}})}
function well(name){return/^[A-Za-z0-9_]{1,15}$/.test(name)}
function profile(r){return"https://x.com/"+(well(r.username)?r.username:"i/user/"+encodeURIComponent(r.id))}
function post(r){return r.post?"https://x.com/"+(well(r.username)?r.username:"i")+"/status/"+encodeURIComponent(r.post):profile(r)}
function read(){
state={};location.hash.replace(/^#/,"").split("&").forEach(function(p){var i=p.indexOf("="),k=p.slice(0,i);if(i>0&&(NAMES.indexOf(k)>=0||k==="page")){try{state[k]=decodeURIComponent(p.slice(i+1))}catch(e){}}});
NAMES.forEach(function(n){var f=field(n);if(f.type==="checkbox")f.checked=!!state[n];else{f.value=state[n]||"";if(f.value!==(state[n]||"")){delete state[n];f.value=""}}})}
function write(){
var h=[];NAMES.forEach(function(n){var f=field(n),v=f.type==="checkbox"?(f.checked?"1":""):f.value.trim();if(v){state[n]=v;h.push(n+"="+encodeURIComponent(v))}else delete state[n]});
if(Number(state.page)>1)h.push("page="+state.page);
history.replaceState(null,"",h.length?"#"+h.join("&"):location.pathname+location.search)}
function chosen(){
var words=(state.q||"").toLowerCase().split(/\s+/).filter(Boolean),min=parseFloat(state.min);
var found=rows.filter(function(r){
r.words=r.words||(r.name+" "+r.username+" "+r.text).toLowerCase();
return(!state.action||r.action===state.action)&&(!state.label||r.labels.indexOf(state.label)>=0)&&(!state.category||r.category===state.category)&&(!state.tweet||r.tweet===state.tweet)&&(isNaN(min)||(r.score!==null&&r.score>=min))&&(!state["new"]||(!r.backfill&&r.at>asOf-DAY))&&words.every(function(w){return r.words.indexOf(w.replace(/^@/,""))>=0})});
if(state.sort==="time")found=found.slice().sort(function(a,b){return(a.backfill&&a.ours?0:a.at)<(b.backfill&&b.ours?0:b.at)?1:-1});
return found}
function answer(n){
if(rows.length===collected)return number(n)+(n===rows.length?"":" of "+number(rows.length))+" engagements";
var used=NAMES.filter(function(name){return state[name]&&name!=="sort"}),one=used.length===1&&FACETS.indexOf(used[0])>=0?field(used[0]).selectedOptions[0].getAttribute("data-count"):null;
if(one)return number(n)+" on this page of "+number(one)+" collected";
return number(n)+" on this page, which holds "+number(rows.length)+" of "+number(collected)+" collected engagements"}
var zone=d.querySelector("[data-zone]"),format=new Intl.DateTimeFormat("en-GB",{day:"numeric",month:"short",hour:"2-digit",minute:"2-digit",hour12:false,timeZone:zone?zone.getAttribute("data-zone"):"UTC"});
function when(r){if(r.backfill&&r.ours)return el("span","quiet","before monitoring");var t=el("time","",(r.ours?"by ":"")+format.format(new Date(r.at*1000)).replace(",",""));t.dateTime=new Date(r.at*1000).toISOString();return t}
function labelText(name){var o=d.querySelector('#f-label option[value="'+name+'"]');return o?o.textContent.replace(/ \([\d,]+\)$/,""):name}
function follow(a,href,text){a.href=href;a.textContent=text;a.rel="noreferrer noopener";a.target="_blank"}
function line(r){
var tr=d.getElementById("row").content.querySelector("tr").cloneNode(true),q=function(s){return tr.querySelector(s)},more=Math.max(r.of,r.by.length)-Math.min(r.by.length,3);
q(".score").textContent=r.score===null?"?":String(+r.score.toFixed(2));q(".name").textContent=r.name;
if(r.verified){q(".tick").textContent=" ✓";q(".tick").appendChild(el("span","sr"," verified"))}
follow(q(".at"),profile(r),"@"+r.username);
r.labels.forEach(function(n){q(".labels").append(" ",el("span","chip",labelText(n)))});
if(r.by.length)q(".reasons").textContent=number(Math.max(r.of,r.by.length))+" on your list: "+r.by.slice(0,3).join(", ")+(more>0?" and "+number(more)+" more":"");
q(".text").textContent=r.text;
follow(q(".act a"),post(r),r.action);q(".act a").appendChild(el("span","sr"," by @"+r.username));q(".act .quiet").textContent="on "+(r.author?"@"+r.author:"a tweet");
q(".reach").textContent=number(r.followers);q(".when").appendChild(when(r));
return tr}
function show(){
var found=chosen(),pages=Math.max(Math.ceil(found.length/PAGE),1),page=Math.min(Math.max(parseInt(state.page,10)||1,1),pages);
state.page=String(page);
var body=d.getElementById("list").tBodies[0];body.textContent="";
found.slice((page-1)*PAGE,page*PAGE).forEach(function(r){body.appendChild(line(r))});
if(!found.length){var tr=el("tr"),c=el("td","empty","No matching engagements. Clear the filters to see all.");c.colSpan=5;tr.appendChild(c);body.appendChild(tr)}
d.getElementById("shown").textContent=answer(found.length);
d.getElementById("csv").disabled=!found.length;
var nav=d.getElementById("pages");nav.textContent="";
if(pages>1)[["Previous",page-1],["",0],["Next",page+1]].forEach(function(x){
if(!x[0]){nav.appendChild(el("span","quiet","page "+number(page)+" of "+number(pages)));return}
var b=el("button","",x[0]);b.type="button";b.disabled=x[1]<1||x[1]>pages;
b.addEventListener("click",function(){state.page=String(x[1]);write();show();d.getElementById("all").scrollIntoView();var again=[].filter.call(nav.querySelectorAll("button"),function(y){return y.textContent===x[0]&&!y.disabled})[0];if(again)again.focus({preventScroll:true})});
nav.appendChild(b)})}
function cell(v){v=v===null||v===undefined?"":typeof v==="string"?v.replace(/\r\n?|\n/g," "):String(v);
if(/^[\s\u200b\u00a0\ufeff]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(v)&&!/^-?\d+(\.\d+)?$/.test(v))v="'"+v;return'"'+v.replace(/"/g,'""')+'"'}
function download(){
var out=["importance,followed_by,important_followers,name,username,user_id,verified,followers,labels,action,tweet_id,tweet_author,tweet_category,at_utc,time_is_first_seen,before_monitoring,text,link,profile"];
chosen().forEach(function(r){out.push([r.score,r.by.join(" "),r.of,r.name,r.username,r.id,r.verified,r.followers,r.labels.join(" "),r.action,r.tweet,r.author,r.category,new Date(r.at*1000).toISOString().replace(".000",""),r.ours,r.backfill,r.text,post(r),profile(r)].map(cell).join(","))});
var a=el("a");a.href=URL.createObjectURL(new Blob(["\ufeff"+out.join("\r\n")+"\r\n"],{type:"text/csv"}));
a.download=source.getAttribute("data-slug")+"-engagements"+(rows.length<collected?"-"+rows.length+"-of-"+collected:"")+".csv";a.click();setTimeout(function(){URL.revokeObjectURL(a.href)},1000)}
if(source){
unpack();read();show();
var tools=d.getElementById("tools");
function changed(){state.page="1";write();show()}
tools.addEventListener("input",changed);
tools.addEventListener("submit",function(e){e.preventDefault()});
tools.addEventListener("reset",function(e){e.preventDefault();NAMES.forEach(function(n){var f=field(n);if(f.type==="checkbox")f.checked=false;else f.value=""});changed()});
d.getElementById("csv").addEventListener("click",download);
function jump(){if(/[=]/.test(location.hash)){read();show();d.getElementById("all").scrollIntoView()}}
window.addEventListener("hashchange",jump);
if(/[=]/.test(location.hash))d.getElementById("all").scrollIntoView()}

// A link to closed parts opens them.
function open(){var e=location.hash.length>1&&!/[=]/.test(location.hash)&&d.getElementById(location.hash.slice(1));if(e&&e.tagName==="DETAILS")e.open=true}
window.addEventListener("hashchange",open);open();

// The operator's page of an active campaign is read again each minute until somebody uses it.
var live=d.querySelector("[data-refresh]"),told=d.getElementById("live");
if(live){var touched=false;told.textContent="· refreshes every minute";["input","toggle","click","keydown"].forEach(function(n){d.addEventListener(n,function(){touched=true;told.textContent="· refresh paused"},true)});
setInterval(function(){if(!touched&&!/[=]/.test(location.hash))location.reload()},60000)}
})();
